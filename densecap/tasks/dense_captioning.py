"""Training and validation of the dense captioner."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import torch
from torch import Tensor

from densecap.distributed import mean_over_processes
from densecap.models.dense_captioner import DenseCaptioner
from densecap.models.losses import LossWeights
from densecap.structures import Batch
from densecap.tasks.base import CaptioningTask

#: Seed of the region sampling in validation, so that epochs are compared on the same regions.
VALIDATION_SEED = 20160


class DenseCaptioningTask(CaptioningTask):
    """One optimisation step and one validation step with the five losses; arguments as in ``CaptioningTask``.

    With a ``sampling_seed`` the regions that are learned from are drawn by this number, the epoch and the image's id,
    so that any number of devices draws the same; without one (None) by the process's own random numbers. In validation
    they are always drawn by the image's id.
    """

    model: DenseCaptioner

    def __init__(
        self,
        model: DenseCaptioner,
        optimizer: Callable[..., torch.optim.Optimizer],
        scheduler: Callable[..., Any],
        weights: LossWeights | None = None,
        backbone_lr_ratio: float = 1.0,
        sampling_seed: int | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(model, optimizer, scheduler, backbone_lr_ratio, config)
        self.sampling_seed = sampling_seed
        self.weights = weights or LossWeights()
        if self.weights.words:
            model.learn_words()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        seed = self.sampling_seed
        generators = None if seed is None else generators_of(batch.image_ids, f"{seed}/{self.current_epoch}")
        losses = self.model(batch, generators)
        self._log("train", mean_over_processes(losses), len(batch))
        return self.weights.objective(losses)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        batch, count = self.unrepeated(batch, batch_idx)
        self._log("val", self.model(batch, generators_of(batch.image_ids, str(VALIDATION_SEED))), count)

    def _log(self, stage: str, losses: Mapping[str, Tensor], size: int) -> None:
        training = stage == "train"
        values = {f"{stage}/loss_{name}": value.detach() for name, value in losses.items() if name != "box_decay"}
        values[f"{stage}/loss"] = self.weights.total(losses).detach()
        # A decimal number, because Lightning takes the mean of all processes' sizes, and cuts off that of whole ones.
        self.log_dict(
            values,
            batch_size=float(size),  # type: ignore[arg-type]
            prog_bar=True,
            on_step=training,
            on_epoch=not training,
            sync_dist=not training,
        )


def generators_of(image_ids: Sequence[str], seed: str) -> list[torch.Generator]:
    """A source of random numbers for each image, the same wherever and in whatever company the image is seen."""
    words = [f"{seed}/{image_id}".encode() for image_id in image_ids]
    numbers = [int.from_bytes(blake2b(word, digest_size=7).digest(), "big") for word in words]
    return [torch.Generator().manual_seed(number) for number in numbers]
