"""Averages of the weights, by Lightning's callbacks, with checkpoints that can be gone on with at any time."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EMAWeightAveraging, WeightAveraging


class _Resumable(WeightAveraging):
    """Lightning puts the average in the model's place when training ends, before the last checkpoint is written.

    A longer run that goes on from that one needs the weights as they were: they are kept for it.
    """

    _weights: dict[str, torch.Tensor] | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        super().on_train_start(trainer, pl_module)
        self._weights = None

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._weights = {name: value.detach().cpu().clone() for name, value in pl_module.state_dict().items()}
        super().on_train_end(trainer, pl_module)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        super().on_save_checkpoint(trainer, pl_module, checkpoint)
        if self._weights is not None:
            checkpoint["current_model_state"] = self._weights


class MovingAverage(_Resumable, EMAWeightAveraging):
    """Lightning's exponential moving average; arguments as there."""


class EqualAverage(_Resumable):
    """The mean of the weights after every step from epoch ``from_epoch`` (0 is the first) on.

    Until then the average is the weights themselves, so that validation judges the model as it is.
    """

    def __init__(self, from_epoch: int = 0, **options: Any) -> None:
        super().__init__(**options)
        self.from_epoch = from_epoch

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        return step_idx is not None

    def on_train_batch_end(self, trainer: pl.Trainer, *arguments: Any, **options: Any) -> None:
        assert self._average_model is not None
        if trainer.current_epoch < self.from_epoch:
            self._average_model.n_averaged.zero_()  # the next one is a beginning again
        super().on_train_batch_end(trainer, *arguments, **options)
        if trainer.current_epoch < self.from_epoch:
            self._average_model.n_averaged.zero_()
