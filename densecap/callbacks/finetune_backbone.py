"""When the backbone begins to learn."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl


class FinetuneBackbone(pl.Callback):
    """Keep the backbone fixed for ``after_step`` optimiser steps, then train it too (all but its stem).

    ``after_step: 0`` trains it from the start, -1 never (the released code's default); null leaves it as the
    backbone's own ``trainable`` says. Parts without published weights (a feature pyramid) always learn. On several
    processes gradients are dropped instead of not computed, because DistributedDataParallel must see the same
    parameters throughout.
    """

    def __init__(self, after_step: int | None = None) -> None:
        self.after_step = after_step

    def _due(self, trainer: pl.Trainer) -> bool:
        return self.after_step is not None and 0 <= self.after_step <= trainer.global_step

    def setup(self, trainer: pl.Trainer, pl_module: Any, stage: str) -> None:
        if self.after_step is not None:
            pl_module.model.backbone.set_trainable(self.after_step >= 0 and trainer.world_size > 1)

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if self._due(trainer):
            pl_module.model.backbone.set_trainable(True)

    def on_before_optimizer_step(self, trainer: pl.Trainer, pl_module: Any, optimizer: Any) -> None:
        if self.after_step is not None and not self._due(trainer):
            backbone = pl_module.model.backbone
            new = {id(parameter) for part in backbone.new_parts for parameter in part.parameters()}
            for parameter in backbone.parameters():
                if id(parameter) not in new:
                    parameter.grad = None
