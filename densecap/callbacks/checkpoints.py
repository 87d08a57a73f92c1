"""Keeping the best and the last state of a run."""

from __future__ import annotations

from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint


class BestAndLast(ModelCheckpoint):
    """``checkpoints/best.ckpt`` by a validation figure and ``checkpoints/last.ckpt``, also on Ctrl-C or an error.

    With ``monitor: null`` the best is the latest.
    """

    def __init__(
        self,
        dirpath: str | None = None,
        monitor: str | None = "val/loss",
        mode: str = "min",
        every_n_train_steps: int | None = None,
    ) -> None:
        super().__init__(
            dirpath=dirpath,
            filename="best",
            monitor=monitor,
            mode=mode,
            save_last=True,
            auto_insert_metric_name=False,
            enable_version_counter=False,
            every_n_train_steps=every_n_train_steps,
        )

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The last state is the last one, also where a limit of steps ends a run between validations."""
        super().on_train_end(trainer, pl_module)
        self._save_last_state(trainer)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Keep what an interrupted run has learned, so that ``ckpt=last`` can go on."""
        if trainer.training and trainer.global_step > 0:
            self._save_last_state(trainer)

    def _save_last_state(self, trainer: pl.Trainer) -> None:
        if self.dirpath and not trainer.fast_dev_run:  # type: ignore[attr-defined]
            trainer.save_checkpoint(Path(self.dirpath) / "last.ckpt")
