"""The pictures of a validation panel: photos with what a model says and what was annotated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image, ImageDraw

from densecap.callbacks.examined_image import ExaminedImage, TruthOfSplit, examine
from densecap.data.dataset import RegionDataset
from densecap.data.hdf5 import RegionFile
from densecap.data.images import read_image
from densecap.models.captioner import Captioner
from densecap.ops.boxes import box_iou
from densecap.prediction.caption_strip import with_caption
from densecap.prediction.drawing import draw_regions, enlarged, image_from_tensor
from densecap.prediction.lettering import choose_font
from densecap.structures import RegionPrediction

#: Pixels of a photo's longest side on a panel.
SIDE = 480

#: Annotated boxes that overlap a larger one by more than this are left out.
OVERLAP = 0.5


@dataclass(frozen=True)
class PanelImage:
    """A photo with ``predicted`` and ``true`` regions, boxes in its pixels; of a ``whole`` image they are captions."""

    image_id: str
    photo: Image.Image
    predicted: list[RegionPrediction]
    true: list[RegionPrediction]
    whole: bool = False

    def drawn(self) -> Image.Image:
        """Predicted and true regions side by side, or the photo over both captions."""
        if self.whole:
            lines = [f"{word}: {region.caption}" for word, region in self.captions()]
            return stacked(enlarged(self.photo), lines)
        sides = [("predicted", self.predicted), ("true", self.true)]
        return beside([_titled(draw_regions(self.photo, regions), word) for word, regions in sides])

    def captions(self) -> list[tuple[str, RegionPrediction]]:
        """("predicted" or "true", region) of all regions, predicted ones first."""
        return [("predicted", region) for region in self.predicted] + [("true", region) for region in self.true]


class PanelMaker:
    """Makes the panel of a fixed choice of images, spread evenly over a split.

    At most ``num_regions`` predicted boxes, best first, and as many annotated ones, the largest that do not cover each
    other. The model sees the images as in validation; sampling draws the same every time.
    """

    def __init__(self, dataset: RegionDataset, split: str, num_images: int, num_regions: int) -> None:
        self.dataset, self.num_regions = dataset, num_regions
        self.file = RegionFile(dataset.file.path)
        self.truth = TruthOfSplit(self.file, split, None)
        count = len(dataset)
        spread = np.linspace(0, max(count - 1, 0), min(num_images, count)).round().astype(int)
        self.numbers = sorted(set(spread.tolist()))

    @torch.no_grad()
    def panel(self, model: Captioner, device: torch.device) -> list[PanelImage]:
        """Of a model in evaluation mode."""
        return [self._image(model, number, device) for number in self.numbers]

    def _image(self, model: Captioner, number: int, device: torch.device) -> PanelImage:
        sample = self.dataset[number]
        truth = self.truth[sample.image_id]
        asked = examine(model, sample.image.to(device), sample.size, sample.image_id, truth)
        stored = read_image(self.file.image_bytes(self.truth.indices[sample.image_id]))
        photo = _small(image_from_tensor(stored))
        scale = np.tile((photo.width / truth.size[1], photo.height / truth.size[0]), 2)
        if isinstance(asked, ExaminedImage):
            asked.detection = replace(model.detection, max_detections=self.num_regions)
            record = asked.record
            found = zip(record.boxes * scale, record.scores.tolist(), record.captions)
            predicted = [RegionPrediction(tuple(box.tolist()), score, said, 0.0) for box, score, said in found]
            chosen = spread_boxes(truth.boxes, self.num_regions)
            true = [_region(truth.boxes[row] * scale, truth.captions[row]) for row in chosen]
            return PanelImage(sample.image_id, photo, predicted, true)
        size = np.array((0.0, 0.0, truth.size[1], truth.size[0]))
        boxes = np.unique(truth.boxes, axis=0) if len(truth.boxes) else size[None]
        boxes = boxes[spread_boxes(boxes, self.num_regions)]
        predicted = [_region(box * scale, caption) for box, caption in zip(boxes, asked.describe(boxes))]
        owned = (truth.boxes[:, None] == boxes[None]).all(axis=2).any(axis=1)
        true = [_region(truth.boxes[row] * scale, truth.captions[row]) for row in np.flatnonzero(owned).tolist()]
        whole = len(boxes) == 1 and bool(np.abs(boxes[0] - size).max() < 0.5)
        return PanelImage(sample.image_id, photo, predicted, true, whole)


def spread_boxes(boxes: np.ndarray, count: int) -> list[int]:
    """Rows of at most ``count`` of the (M, 4) boxes: the largest, without those that mostly cover a chosen one."""
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    overlaps = box_iou(torch.from_numpy(boxes), torch.from_numpy(boxes)).numpy()
    chosen: list[int] = []
    for row in np.argsort(-areas, kind="stable").tolist():
        if len(chosen) < count and all(overlaps[row, other] <= OVERLAP for other in chosen):
            chosen.append(row)
    return chosen


def _region(box: np.ndarray, caption: str) -> RegionPrediction:
    return RegionPrediction(tuple(box.tolist()), 1.0, caption, 0.0)


def _small(photo: Image.Image) -> Image.Image:
    factor = SIDE / max(photo.size)
    if factor >= 1:
        return photo
    size = (max(1, round(photo.width * factor)), max(1, round(photo.height * factor)))
    return photo.resize(size, Image.Resampling.BILINEAR)


def _titled(picture: Image.Image, title: str) -> Image.Image:
    """The picture below a line that says what it shows."""
    font, words = choose_font(title, 16)
    canvas = Image.new("RGB", (picture.width, picture.height + 24), "white")
    canvas.paste(picture, (0, 24))
    ImageDraw.Draw(canvas).text((4, 12), words, fill="#1f2933", font=font, anchor="lm")
    return canvas


def beside(pictures: Sequence[Image.Image], gap: int = 6) -> Image.Image:
    """Pictures of one size next to each other."""
    width = sum(picture.width for picture in pictures) + gap * (len(pictures) - 1)
    canvas = Image.new("RGB", (width, max(picture.height for picture in pictures)), "white")
    left = 0
    for picture in pictures:
        canvas.paste(picture, (left, 0))
        left += picture.width + gap
    return canvas


def stacked(picture: Image.Image, lines: Sequence[str]) -> Image.Image:
    """The picture over a strip for each line of text."""
    strips = [with_caption(Image.new("RGB", (picture.width, 1), "white"), line, 18) for line in lines]
    canvas = Image.new("RGB", (picture.width, picture.height + sum(strip.height for strip in strips)), "white")
    canvas.paste(picture)
    top = picture.height
    for strip in strips:
        canvas.paste(strip, (0, top))
        top += strip.height
    return canvas
