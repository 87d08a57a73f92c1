"""Stopping a run whose loss has exploded."""

from __future__ import annotations

import math
from typing import Any

import pytorch_lightning as pl


class StopOnExplosion(pl.Callback):
    """Stop when the loss exceeds ``factor`` times that of the first batch, or is no number (released code: 100).

    It looks at every batch whose step is a multiple of ``every``.
    """

    def __init__(self, factor: float = 100.0, every: int = 10) -> None:
        self.factor, self.every = factor, every
        self.first: float | None = None

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step % self.every and self.first is not None:
            return  # reading the loss waits for the accelerator
        loss = float(outputs["loss"])
        if self.first is None and math.isfinite(loss):
            self.first = loss
        if not math.isfinite(loss) or (self.first is not None and loss > self.factor * self.first):
            trainer.should_stop = True
            pl_module.print(f"stopped: the loss is {loss:.4g}, more than {self.factor:g} times the first, {self.first}")

    def state_dict(self) -> dict[str, Any]:
        return {"first": self.first}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.first = state_dict["first"]
