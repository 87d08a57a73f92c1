"""A batch of pictures that a model has seen: several questions to one run of the backbone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import torch
from torch import Tensor

from densecap.models.captioner import Captioner
from densecap.models.dense_captioner import DenseCaptioner
from densecap.models.generation import GenerationSettings
from densecap.models.image_captioner import ImageCaptioner
from densecap.models.inference import (
    Detections,
    describe,
    detections_of_maps,
    proposals_of_maps,
    scale_of,
    stack,
)
from densecap.models.settings import DetectionSettings
from densecap.ops.whole_boxes import is_whole, whole_boxes
from densecap.structures import RegionPrediction
from densecap.text.token_matrix import token_matrix


class Seen:
    """``pictures`` (3, H, W) uint8, at least one; all boxes given and returned are in their own pixels."""

    def __init__(self, model: Captioner, pictures: Sequence[Tensor]) -> None:
        self.model, self.pictures = model, pictures
        self.batch, self.sizes = stack(model, pictures)
        self.device = self.batch.device

    @cached_property
    def scales(self) -> list[Tensor]:
        """(4,) factors from the pixels of each picture to those of its resized copy."""
        pairs = zip(self.pictures, self.sizes)
        return [torch.tensor(scale_of(picture, size), device=self.device) for picture, size in pairs]

    def codes(self, boxes: Sequence[Tensor]) -> Tensor:
        """Features (N, F) of all boxes, (R, 4) a picture, in their order."""
        raise NotImplementedError

    @torch.no_grad()
    def described(self, boxes: Sequence[Tensor], generation: GenerationSettings) -> list[list[RegionPrediction]]:
        """What ``model.caption_boxes`` gives."""
        codes = self.codes(boxes)
        counts = [len(own) for own in boxes]
        parts = zip(self._resized(boxes), self._logits(codes).split(counts), codes.split(counts))
        return self._described([Detections(*part) for part in parts], generation)

    @torch.no_grad()
    def losses(self, boxes: Sequence[Tensor], captions: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """Negative log-likelihood (N,) of true captions, word ids, for the boxes; and their tokens (N,), END too."""
        most = self.model.decoder.max_length
        rows = [list(caption)[:most] for caption in captions]
        losses = self.model.decoder.loss(self.codes(boxes), token_matrix(rows).to(self.device))
        return losses.double().cpu(), torch.tensor([len(row) + 1 for row in rows])

    def _logits(self, codes: Tensor) -> Tensor:
        """(N,) how surely each box is a region."""
        raise NotImplementedError

    def _resized(self, boxes: Sequence[Tensor]) -> list[Tensor]:
        return [own.to(self.device, torch.float32) * scale for own, scale in zip(boxes, self.scales)]

    def _described(self, found: list[Detections], generation: GenerationSettings) -> list[list[RegionPrediction]]:
        return describe(self.model, self.pictures, self.sizes, found, generation)


class SeenPictures(Seen):
    """By a model that finds boxes."""

    model: DenseCaptioner

    @cached_property
    def maps(self) -> list:
        with torch.no_grad():
            return self.model.feature_maps(self.batch, self.sizes)

    def found(self, detection: DetectionSettings, generation: GenerationSettings) -> list[list[RegionPrediction]]:
        """What ``model.caption_images`` gives."""
        boxes = detections_of_maps(self.model, self.maps, self.sizes, detection)
        return self._described(boxes, generation)

    def proposals(self, detection: DetectionSettings) -> list[Tensor]:
        """(P, 4) proposals of each picture, best first, on the CPU."""
        found = proposals_of_maps(self.model, self.maps, self.sizes, detection)
        return [(own / scale).cpu() for own, scale in zip(found, self.scales)]

    @torch.no_grad()
    def codes(self, boxes: Sequence[Tensor]) -> Tensor:
        pooled = self.model.localization.pool(self.maps, self._resized(boxes), self.sizes)
        return self.model.recognition(pooled)

    def _logits(self, codes: Tensor) -> Tensor:
        return self.model.recognition.objectness(codes)[:, 0].float()


class SeenWholes(Seen):
    """By a model that describes what it is given; the features of whole pictures are computed once, unless ``features``
    (B, F) are given."""

    model: ImageCaptioner

    def __init__(self, model: ImageCaptioner, pictures: Sequence[Tensor], features: Tensor | None = None) -> None:
        super().__init__(model, pictures)
        self.features = features

    @cached_property
    def whole(self) -> Tensor:
        """(B, F) features of the whole pictures."""
        if self.features is not None:
            return self.features
        with torch.no_grad():
            return self.model.box_features(self.batch, self.sizes, whole_boxes(self.sizes, self.device))

    def captioned(self, generation: GenerationSettings) -> list[list[RegionPrediction]]:
        """What ``model.caption_images`` gives: one region, the whole picture."""
        own = whole_boxes([(picture.shape[1], picture.shape[2]) for picture in self.pictures])
        regions = self.described(own, generation)
        return [[replace(found[0], box=tuple(box[0].tolist()))] for found, box in zip(regions, own)]

    @torch.no_grad()
    def codes(self, boxes: Sequence[Tensor]) -> Tensor:
        resized = self._resized(boxes)
        counts = torch.tensor([len(own) for own in boxes])
        owners = torch.repeat_interleave(counts).to(self.device)  # (N,)
        limits = torch.tensor(self.sizes, dtype=torch.float32, device=self.device)[owners]
        if is_whole(torch.cat(resized), limits).all():
            return self.whole[owners]
        return self.model.box_features(self.batch, self.sizes, resized)

    def _logits(self, codes: Tensor) -> Tensor:
        return codes.new_full((len(codes),), torch.inf)
