"""Keeping the best and the last state of a run."""

from __future__ import annotations

from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor


class BestAndLast(ModelCheckpoint):
    """``checkpoints/best.ckpt`` by a validation figure and ``checkpoints/last.ckpt``, also on Ctrl-C or an error.

    With ``monitor: null`` the best is the latest. Of equally good states the latest is the best, for dense mAP is 0 as
    long as a model is very young. ``mode: auto`` is min for losses and perplexity, max for everything else.
    """

    def __init__(
        self,
        dirpath: str | None = None,
        monitor: str | None = "val/loss",
        mode: str = "auto",
        every_n_train_steps: int | None = None,
    ) -> None:
        if mode == "auto":
            mode = "min" if "loss" in (monitor or "loss") or "perplexity" in (monitor or "") else "max"
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

    def check_monitor_top_k(self, trainer: pl.Trainer, current: Tensor | None = None) -> bool:
        """Whether a figure is the best so far or as good; all processes decide alike."""
        equal = current is not None and _is_equal(current, self.best_model_score)
        return trainer.strategy.reduce_boolean_decision(equal) or super().check_monitor_top_k(trainer, current)

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


def _is_equal(figure: Tensor, best: Tensor | None) -> bool:
    """Whether a figure is as good as the best; Lightning keeps one that is no number as infinitely bad."""
    return best is not None and bool(figure == best or (figure.isnan() and best.isinf()))
