"""Keeping the best and the last state of a run."""

from __future__ import annotations

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
            save_on_exception=True,
            auto_insert_metric_name=False,
            enable_version_counter=False,
            every_n_train_steps=every_n_train_steps,
        )
