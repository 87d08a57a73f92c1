"""A batch of pictures that a model has seen: several questions to one run of the backbone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from densecap.models.dense_captioner import DenseCaptioner
from densecap.models.generation import GenerationSettings
from densecap.models.inference import (
    Detections,
    describe,
    detections_of_maps,
    proposals_of_maps,
    scale_of,
    stack,
)
from densecap.models.settings import DetectionSettings
from densecap.structures import RegionPrediction


class SeenPictures:
    """``pictures`` (3, H, W) uint8, at least one; all boxes given and returned are in their own pixels."""

    def __init__(self, model: DenseCaptioner, pictures: Sequence[Tensor]) -> None:
        self.model, self.pictures = model, pictures
        batch, self.sizes = stack(model, pictures)
        self.device = batch.device
        with torch.no_grad():
            self.maps = model.feature_maps(batch, self.sizes)

    @cached_property
    def scales(self) -> list[Tensor]:
        """(4,) factors from the pixels of each picture to those of its resized copy."""
        pairs = zip(self.pictures, self.sizes)
        return [torch.tensor(scale_of(picture, size), device=self.device) for picture, size in pairs]

    def found(self, detection: DetectionSettings, generation: GenerationSettings) -> list[list[RegionPrediction]]:
        """What ``model.caption_images`` gives."""
        boxes = detections_of_maps(self.model, self.maps, self.sizes, detection)
        return self._described(boxes, generation)

    @torch.no_grad()
    def described(self, boxes: Sequence[Tensor], generation: GenerationSettings) -> list[list[RegionPrediction]]:
        """What ``model.caption_boxes`` gives."""
        codes = self.codes(boxes)
        logits = self.model.recognition.objectness(codes)[:, 0].float()
        counts = [len(own) for own in boxes]
        parts = zip(self._resized(boxes), logits.split(counts), codes.split(counts))
        return self._described([Detections(*part) for part in parts], generation)

    def proposals(self, detection: DetectionSettings) -> list[Tensor]:
        """(P, 4) proposals of each picture, best first, on the CPU."""
        found = proposals_of_maps(self.model, self.maps, self.sizes, detection)
        return [(own / scale).cpu() for own, scale in zip(found, self.scales)]

    @torch.no_grad()
    def codes(self, boxes: Sequence[Tensor]) -> Tensor:
        """Features (N, F) of all boxes, (R, 4) a picture, in their order."""
        pooled = self.model.localization.pool(self.maps, self._resized(boxes), self.sizes)
        return self.model.recognition(pooled)

    @torch.no_grad()
    def losses(self, boxes: Sequence[Tensor], captions: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """Negative log-likelihood (N,) of true captions, word ids, for the boxes; and their tokens (N,), END too."""
        most = self.model.decoder.max_length
        rows = [list(caption)[:most] for caption in captions]
        tokens = torch.zeros(len(rows), max(map(len, rows), default=0), dtype=torch.int64)
        for place, row in zip(tokens, rows):
            place[: len(row)] = torch.tensor(row, dtype=torch.int64)
        losses = self.model.decoder.loss(self.codes(boxes), tokens.to(self.device))
        return losses.double().cpu(), torch.tensor([len(row) + 1 for row in rows])

    def _resized(self, boxes: Sequence[Tensor]) -> list[Tensor]:
        return [own.to(self.device, torch.float32) * scale for own, scale in zip(boxes, self.scales)]

    def _described(self, found: list[Detections], generation: GenerationSettings) -> list[list[RegionPrediction]]:
        return describe(self.model, self.pictures, self.sizes, found, generation)
