"""The resolved configuration, given to every logger when training begins."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl


class Hyperparameters(pl.Callback):
    """Logs ``task.config`` as hyperparameters, so that dashboards can sort and compare runs by them."""

    def setup(self, trainer: pl.Trainer, pl_module: Any, stage: str) -> None:
        if stage != "fit":
            return
        for logger in trainer.loggers:
            logger.log_hyperparams(pl_module.config)
