"""One model on one device: a batch of pictures in, regions out, with captions only where they are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from densecap.models.captioner import Captioner
from densecap.models.dense_captioner import DenseCaptioner
from densecap.models.generation import GenerationSettings, generate
from densecap.models.inference import Detections, detect, detections_of_boxes, stack
from densecap.models.settings import DetectionSettings
from densecap.models.spoken import described, spoken
from densecap.prediction.loop import check_finite
from densecap.prediction.precision import autocast
from densecap.serving.images import Picture
from densecap.serving.options import Box
from densecap.serving.tracking import Track, Tracker
from densecap.structures import Prediction, RegionPrediction, ScoredCaption


@dataclass(frozen=True, eq=False)
class Query:
    """A picture and what is wanted of it; ``tracker`` is that of a client's frames, None for pictures by themselves."""

    picture: Picture
    detection: DetectionSettings
    generation: GenerationSettings
    boxes: tuple[Box, ...] | None = None
    tracker: Tracker | None = None

    @property
    def group(self) -> tuple[DetectionSettings, GenerationSettings, bool]:
        """What queries of one batch have in common."""
        return self.detection, self.generation, self.boxes is None


@dataclass(frozen=True)
class Described:
    """Regions in pixels of the picture as sent; ``numbers`` are those of the tracker, or 1, 2 ... without one.

    ``decoded`` captions were made for it, the others kept from frames before.
    """

    regions: list[RegionPrediction]
    numbers: list[int]
    decoded: int


class Describer:
    """A model in evaluation mode on its device; used by one thread."""

    def __init__(self, model: Captioner, precision: str = "fp32") -> None:
        self.model, self.precision = model.eval(), precision
        self.device = next(model.parameters()).device

    def __call__(self, queries: Sequence[Query]) -> list[Described]:
        """Describe queries of one group. Errors: whatever the model raises, UserError for figures not finite."""
        with torch.no_grad(), autocast(self.device, self.precision):
            if isinstance(self.model, DenseCaptioner):
                found = self._regions(self.model, queries)
            else:
                found = self._whole(queries)
        for query, own in zip(queries, found):
            check_finite(Prediction("", "a picture", query.picture.width, query.picture.height, own.regions))
        return found

    def recover(self) -> None:
        """Give back memory after a failure."""
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _whole(self, queries: Sequence[Query]) -> list[Described]:
        first, images = queries[0], [query.picture.image for query in queries]
        if first.boxes is None:
            found = self.model.caption_images(images, first.detection, first.generation)
        else:
            found = self.model.caption_boxes(images, [_scaled_boxes(query) for query in queries], first.generation)
        return [
            Described(_in_own_pixels(own, query), list(range(1, len(own) + 1)), len(own))
            for own, query in zip(found, queries)
        ]

    def _regions(self, model: DenseCaptioner, queries: Sequence[Query]) -> list[Described]:
        batch, sizes = stack(model, [query.picture.image for query in queries])
        if queries[0].boxes is None:
            found = detect(model, batch, sizes, queries[0].detection)
        else:
            found = detections_of_boxes(model, batch, sizes, [_scaled_boxes(query) for query in queries])
        tracks = [_tracks(query, own) for query, own in zip(queries, found)]
        rows = [_rows(query, own, things) for query, own, things in zip(queries, found, tracks)]
        codes = torch.cat([own.codes[wanted] for own, wanted in zip(found, rows)])
        said = self._say(model, codes, queries[0].generation)
        results, start = [], 0
        for query, own, things, wanted in zip(queries, found, tracks, rows):
            new = dict(zip(wanted, said[start : start + len(wanted)]))
            start += len(wanted)
            results.append(_assembled(query, own, things, new))
        return results

    @staticmethod
    def _say(model: DenseCaptioner, codes: Tensor, generation: GenerationSettings) -> list[list[ScoredCaption]]:
        if not len(codes):
            return []
        captions = generate(model.decoder, codes, generation, model.vocabulary)
        return spoken(captions, generation.num_captions, model.vocabulary)


def _scaled_boxes(query: Query) -> Tensor:
    horizontal, vertical = query.picture.scale
    return torch.tensor(query.boxes) * torch.tensor([horizontal, vertical, horizontal, vertical])


def _tracks(query: Query, found: Detections) -> list[Track] | None:
    if query.tracker is None:
        return None
    boxes = found.boxes.float().cpu()
    return query.tracker.follow(boxes) if query.boxes is None else query.tracker.fixed(boxes)


def _rows(query: Query, found: Detections, tracks: list[Track] | None) -> list[int]:
    """Which of the boxes need a caption."""
    if query.tracker is None or tracks is None:
        return list(range(len(found.boxes)))
    return query.tracker.undescribed(tracks, found.codes)


def _assembled(
    query: Query, found: Detections, tracks: list[Track] | None, new: dict[int, list[ScoredCaption]]
) -> Described:
    boxes, scores = found.boxes.tolist(), found.logits.sigmoid().tolist()
    regions = []
    for row, (box, score) in enumerate(zip(boxes, scores)):
        if row in new:
            region = described(tuple(box), score, new[row], query.generation.num_captions)
            if tracks is not None:
                tracks[row].learn(region.caption, region.log_prob, found.codes[row])
        else:
            assert tracks is not None
            region = RegionPrediction(tuple(box), score, tracks[row].caption or "", tracks[row].log_prob)
        regions.append(region)
    numbers = [track.number for track in tracks] if tracks is not None else list(range(1, len(regions) + 1))
    return Described(_in_own_pixels(regions, query), numbers, len(new))


def _in_own_pixels(regions: list[RegionPrediction], query: Query) -> list[RegionPrediction]:
    """Regions of the resized picture as those of the picture as sent; given boxes as they were given."""
    if query.boxes is not None:
        return [replace(region, box=box) for region, box in zip(regions, query.boxes)]
    horizontal, vertical = query.picture.scale
    boxes = [region.box for region in regions]
    own = [(x1 / horizontal, y1 / vertical, x2 / horizontal, y2 / vertical) for x1, y1, x2, y2 in boxes]
    return [replace(region, box=box) for region, box in zip(regions, own)]
