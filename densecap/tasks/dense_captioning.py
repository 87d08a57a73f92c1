"""Training and validation of the dense captioner."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from densecap.models.dense_captioner import DenseCaptioner
from densecap.models.losses import LossWeights
from densecap.structures import Batch
from densecap.tasks.base import CaptioningTask

#: Seed of the region sampling in validation, so that epochs are compared on the same regions.
VALIDATION_SEED = 20160


class DenseCaptioningTask(CaptioningTask):
    """One optimisation step and one validation step with the five losses; arguments as in ``CaptioningTask``."""

    model: DenseCaptioner

    def __init__(
        self,
        model: DenseCaptioner,
        optimizer: Callable[..., torch.optim.Optimizer],
        scheduler: Callable[..., Any],
        weights: LossWeights | None = None,
        backbone_lr_ratio: float = 1.0,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(model, optimizer, scheduler, backbone_lr_ratio, config)
        self.weights = weights or LossWeights()
        if self.weights.words:
            model.learn_words()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        losses = self.model(batch)
        self._log("train", losses, len(batch))
        return self.weights.objective(losses)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        generator = torch.Generator().manual_seed(VALIDATION_SEED + batch_idx)
        self._log("val", self.model(batch, generator), len(batch))

    def _log(self, stage: str, losses: Mapping[str, Tensor], size: int) -> None:
        training = stage == "train"
        values = {f"{stage}/loss_{name}": value.detach() for name, value in losses.items() if name != "box_decay"}
        values[f"{stage}/loss"] = self.weights.total(losses).detach()
        self.log_dict(
            values, batch_size=size, prog_bar=True, on_step=training, on_epoch=not training, sync_dist=not training
        )
