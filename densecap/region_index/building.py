"""Describing photos for an index: the regions a model finds, what it says of them, and what its decoder sees there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from densecap.data.images import read_image
from densecap.models.captioner import Captioner
from densecap.models.dense_captioner import DenseCaptioner
from densecap.models.generation import GenerationSettings
from densecap.models.inference import describe, stack
from densecap.models.settings import DetectionSettings
from densecap.ops.whole_boxes import whole_boxes
from densecap.prediction.loop import check_finite
from densecap.prediction.reading import Picture, read_pictures
from densecap.prediction.sources import Unread
from densecap.region_index.folder import RegionIndex, stamp_of
from densecap.region_index.parts import IndexPart
from densecap.structures import Prediction, RegionPrediction

#: Photos of a part: what a kill costs at most.
PART_SIZE = 64


@dataclass(frozen=True)
class Describer:
    """A model in evaluation mode with the settings of an index."""

    model: Captioner
    detection: DetectionSettings
    generation: GenerationSettings

    @torch.no_grad()
    def __call__(self, images: Sequence[Tensor]) -> tuple[list[list[RegionPrediction]], list[Tensor]]:
        """(3, H, W) uint8 images -> regions of each in its own pixels, best first, and their codes (R, F)."""
        batch, sizes = stack(self.model, images)
        if isinstance(self.model, DenseCaptioner):
            found = self.model.detect(batch, sizes, self.detection)
            regions = describe(self.model, images, sizes, found, self.generation)
            return regions, [item.codes for item in found]
        boxes = whole_boxes(sizes, batch.device)
        features = self.model.box_features(batch, sizes, boxes)
        regions = self.model.describe(images, sizes, boxes, features, self.generation)
        return regions, list(features.split(1))


def with_most_regions(detection: DetectionSettings, count: int) -> DetectionSettings:
    """The settings with at most ``count`` regions an image."""
    return replace(detection, max_detections=min(count, detection.max_detections or count))


def not_yet_indexed(index: RegionIndex, paths: Sequence[Path]) -> list[Path]:
    """The photos, as absolute paths, that are new or have changed since they were indexed."""
    known = index.stamps()
    absolute = dict.fromkeys(path.resolve() for path in paths)
    return [path for path in absolute if known.get(str(path)) != _stamp(path)]


def build_index(
    index: RegionIndex,
    describer: Describer,
    paths: Sequence[Path],
    batch_size: int,
    report: Callable[[Picture], None] = lambda picture: None,
) -> list[tuple[str, str]]:
    """Add the photos; returns path and reason of those that cannot be read.

    After every ``PART_SIZE`` photos what is done is kept, and so it is when this is interrupted. ``report`` is called
    for every file that is done with. Errors: UserError when the model's numbers are not finite.
    """
    problems: list[tuple[str, str]] = []
    entries: list[tuple[Prediction, tuple[int, int], Tensor]] = []
    try:
        unread = [Unread(str(path), str(path), partial(read_image, path)) for path in paths]
        for batch in read_pictures(unread, batch_size):
            problems += [(picture.name, picture.problem) for picture in batch if picture.image is None]
            entries += _described(describer, [picture for picture in batch if picture.image is not None])
            if len(entries) >= PART_SIZE:
                full, entries = entries, []
                index.add(part_of(full))
            for picture in batch:
                report(picture)
    finally:
        if entries:
            index.add(part_of(entries))
    return problems


def _described(describer: Describer, pictures: Sequence[Picture]) -> list[tuple[Prediction, tuple[int, int], Tensor]]:
    images = [picture.image for picture in pictures if picture.image is not None]
    if not images:
        return []
    stamps = [_stamp(Path(picture.name)) for picture in pictures]
    entries = []
    for picture, image, stamp, regions, codes in zip(pictures, images, stamps, *describer(images)):
        prediction = Prediction(picture.image_id, picture.name, image.shape[-1], image.shape[-2], regions)
        check_finite(prediction)
        entries.append((prediction, stamp, codes.float().cpu()))
    return entries


def _stamp(path: Path) -> tuple[int, int]:
    try:
        return stamp_of(path)
    except OSError:  # gone since it was listed: reading it says so
        return -1, -1


def part_of(entries: Sequence[tuple[Prediction, tuple[int, int], Tensor]]) -> IndexPart:
    """Photos with their regions, stamps and codes (R, F), at least one, as arrays."""
    regions = [region for prediction, _, _ in entries for region in prediction.regions]
    return IndexPart(
        files=[prediction.file for prediction, _, _ in entries],
        stamps=np.array([stamp for _, stamp, _ in entries], np.int64).reshape(len(entries), 2),
        sizes=np.array([(prediction.height, prediction.width) for prediction, _, _ in entries], np.int32),
        counts=np.array([len(prediction.regions) for prediction, _, _ in entries], np.int64),
        boxes=np.array([region.box for region in regions], np.float32).reshape(len(regions), 4),
        scores=np.array([region.score for region in regions], np.float32),
        captions=[region.caption for region in regions],
        log_probs=np.array([region.log_prob for region in regions], np.float32),
        codes=torch.cat([codes for _, _, codes in entries]).numpy(),
    )
