"""The parts of prediction, each on what the part before it gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import torch
from torch import Tensor

from densecap.benchmark import floor
from densecap.benchmark.parts import Part, rows_through
from densecap.benchmark.photos import padded
from densecap.models.dense_captioner import DenseCaptioner
from densecap.models.generation import GenerationSettings, generate
from densecap.models.localization.proposals import Proposals
from densecap.models.settings import DetectionSettings
from densecap.ops.boxes import apply_transforms
from densecap.ops.nms import nms
from densecap.ops.resize import resize_image
from densecap.structures import RegionPrediction


class PredictionParts:
    """The parts of describing ``photos``, (3, H, W) uint8 of any size, with a model in evaluation mode.

    With ``caption_all_proposals`` every proposal is described and the final suppression comes last, as the released
    code and its ports do; otherwise only the boxes that survive it are. Use it inside ``torch.no_grad()`` and, for
    another precision, ``torch.autocast``.
    """

    def __init__(
        self,
        model: DenseCaptioner,
        photos: Sequence[Tensor],
        detection: DetectionSettings,
        generation: GenerationSettings,
        caption_all_proposals: bool = False,
    ) -> None:
        self.model, self.photos = model, list(photos)
        self.detection, self.generation = detection, generation
        self.caption_all_proposals = caption_all_proposals
        self.resized = [resize_image(photo, model.image_size) for photo in self.photos]
        self.sizes = [(image.shape[1], image.shape[2]) for image in self.resized]

    def part(self, name: str) -> Part:
        """The part of that name, one of ``parts.PREDICTION_PARTS``."""
        return getattr(self, name)()

    def backbone(self) -> Part:
        images, network = self._images, self.model.backbone
        operations = floor.backbone_operations(self.model, self.sizes)
        return self._make("backbone", lambda: [network(image) for image in images], operations)

    def proposals(self) -> Part:
        maps, operations = self._maps, floor.proposal_operations(self.model, self.sizes)
        note = f"{sum(len(item.anchors) for item in self._proposals):,} anchors"
        return self._make(
            "proposals", lambda: [self.model.localization.propose(item) for item in maps], operations, note
        )

    def nms(self) -> Part:
        """Of the proposals, and of the final boxes; these are moved and scored as the model says."""
        boxes, (_, scores, transforms) = self._boxes, self._recognise()
        final = apply_transforms(torch.cat(boxes), transforms.float()).split([len(own) for own in boxes])
        logits = scores[:, 0].float().split([len(own) for own in boxes])

        def suppress() -> None:
            self._select()
            for own, score in zip(final, logits):
                nms(own, score, self.detection.final_nms_iou, self.detection.max_detections)

        return self._make("nms", suppress, note=f"{sum(map(len, boxes)):,} proposals kept")

    def pooling(self) -> Part:
        return self._make("pooling", self._pool, note=f"{len(self._pooled):,} regions")

    def recognition(self) -> Part:
        count = len(self._pooled)
        return self._make(
            "recognition", self._recognise, floor.recognition_operations(self.model, count), f"{count:,} regions"
        )

    def captions(self) -> Part:
        codes, model = self._codes, self.model

        def describe() -> None:
            generate(model.decoder, codes, self.generation, model.vocabulary)

        with rows_through(model.decoder.output) as words:
            describe()
        operations = self._decoding(len(codes), sum(words))
        return self._make("captions", describe, operations, f"{len(codes):,} regions, {sum(words):,} words")

    def predict(self) -> Part:
        with rows_through(self.model.recognition) as proposals, rows_through(self.model.decoder.output) as words:
            regions = sum(len(own) for own in self._predict())
        described = sum(proposals) if self.caption_all_proposals else regions
        operations = (
            floor.backbone_operations(self.model, self.sizes)
            + floor.proposal_operations(self.model, self.sizes)
            + floor.recognition_operations(self.model, sum(proposals))
            + self._decoding(described, sum(words))
        )
        note = f"{sum(proposals):,} proposals, {described:,} described by {sum(words):,} words, {regions:,} given"
        return self._make("predict", self._predict, operations, note)

    def _make(self, name: str, run: object, operations: float = 0, note: str = "") -> Part:
        return Part(name, run, len(self.photos), operations, note=note)  # type: ignore[arg-type]

    def _decoding(self, regions: int, words: int) -> float:
        return floor.decoding_operations(self.model.decoder, regions, words, self.generation.max_length)

    def _predict(self) -> list[list[RegionPrediction]]:
        if not self.caption_all_proposals:
            return self.model.caption_images(self.photos, self.detection, self.generation)
        found = self.model.caption_images(self.photos, self._everything, self.generation)
        return [self._suppressed(regions) for regions in found]

    def _suppressed(self, regions: list[RegionPrediction]) -> list[RegionPrediction]:
        boxes = torch.tensor([region.box for region in regions]).view(len(regions), 4)
        scores = torch.tensor([region.score for region in regions])
        kept = nms(boxes, scores, self.detection.final_nms_iou, self.detection.max_detections)
        return [regions[index] for index in kept.tolist()]

    @property
    def _everything(self) -> DetectionSettings:
        return replace(self.detection, final_nms_iou=1.0, max_detections=None, score_threshold=0.0)

    @cached_property
    def _images(self) -> list[Tensor]:
        device = next(self.model.parameters()).device
        return [image[None].to(device) for image in self.resized]

    @cached_property
    def _maps(self) -> list[tuple[Tensor, ...]]:
        return [self.model.backbone(image) for image in self._images]

    @cached_property
    def _proposals(self) -> list[Proposals]:
        return [self.model.localization.propose(maps)[0] for maps in self._maps]

    @cached_property
    def _boxes(self) -> list[Tensor]:
        return self._select()

    @cached_property
    def _pooled(self) -> Tensor:
        return self._pool()

    @cached_property
    def _codes(self) -> Tensor:
        """Codes (N, F) of the regions that are described."""
        settings = self._everything if self.caption_all_proposals else self.detection
        images = padded(self.resized).to(self._images[0].device)
        return torch.cat([item.codes for item in self.model.detect(images, self.sizes, settings)])

    def _select(self) -> list[Tensor]:
        select = self.model.localization.select
        return [select(item, size, self.detection)[0] for item, size in zip(self._proposals, self.sizes)]

    def _pool(self) -> Tensor:
        groups = [([index], levels) for index, levels in enumerate(self._maps)]
        return self.model.localization.pool(groups, self._boxes, self.sizes)

    def _recognise(self) -> tuple[Tensor, Tensor, Tensor]:
        codes = self.model.recognition(self._pooled)
        return codes, self.model.recognition.objectness(codes), self.model.recognition.box(codes)
