"""The parts of a training step: losses with their gradients, and the update of the weights."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch

from densecap.benchmark import floor
from densecap.benchmark.parts import Part, rows_through
from densecap.models.dense_captioner import DenseCaptioner
from densecap.models.losses import LossWeights
from densecap.structures import Batch


class TrainingParts:
    """Steps of ``model`` on one ``batch``, which is on its device; ``precision`` gives the context of the losses.

    The weights do change, so predict before.
    """

    def __init__(
        self,
        model: DenseCaptioner,
        batch: Batch,
        optimizer: torch.optim.Optimizer,
        precision: Callable[[], AbstractContextManager[Any]],
    ) -> None:
        self.model, self.batch, self.optimizer, self.precision = model, batch, optimizer, precision

    def part(self, name: str) -> Part:
        """The part of that name, one of ``parts.TRAINING_PARTS``."""
        parts = {"gradients": self.gradients, "optimizer": self.update, "train": self.train}
        return parts[name]()

    def gradients(self) -> Part:
        operations, note = self._floor()
        return Part("gradients", self._gradients, len(self.batch), operations, note=note)

    def update(self) -> Part:
        self._gradients()
        count = sum(parameter.numel() for group in self.optimizer.param_groups for parameter in group["params"])
        return Part("optimizer", self.optimizer.step, len(self.batch), note=f"{count / 1e6:.1f} million weights")

    def train(self) -> Part:
        operations, note = self._floor()

        def step() -> None:
            self._gradients()
            self.optimizer.step()

        return Part("train", step, len(self.batch), operations, note=note)

    def _gradients(self) -> None:
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        with self.precision():
            loss = LossWeights().objective(self.model(self.batch, torch.Generator().manual_seed(0)))
        loss.backward()

    def _floor(self) -> tuple[int, str]:
        """Operations of a step with as many regions and words as a first step meets, and these numbers in words."""
        network = self.model.recognition
        with (
            rows_through(network) as regions,
            rows_through(network.box) as captions,
            rows_through(self.model.decoder.output) as words,
        ):
            self._gradients()
        longest = max(item.tokens.shape[1] for item in self.batch.regions)
        operations = floor.training_operations(
            self.model, self.batch.image_sizes, sum(regions), sum(captions), longest, sum(words)
        )
        return operations, f"{sum(regions):,} regions, {sum(captions):,} described by {sum(words):,} words"
