"""Cutting regions out: one picture of each, named after its caption (see ``writers.crop_table``)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from PIL import Image

from densecap.prediction.drawing import image_from_tensor
from densecap.prediction.pictures import PictureOutput, save_jpeg
from densecap.prediction.writers.crop_table import crop_name
from densecap.structures import Prediction

if TYPE_CHECKING:
    from torch import Tensor


class CropPictures(PictureOutput):
    """One picture a region, in a folder an image; crops of an earlier run are removed from it first."""

    name = "crops"

    def save(self, prediction: Prediction, image: Tensor) -> None:
        folder = self.folder / prediction.image_id
        folder.mkdir(exist_ok=True)
        for earlier in folder.glob("[0-9][0-9][0-9]*_*.jpg"):
            earlier.unlink()
        picture = image_from_tensor(image)
        for index, region in enumerate(prediction.regions):
            save_jpeg(crop_of(picture, region.box), folder / crop_name(index, region.caption))

    def is_there(self, prediction: Prediction) -> bool:
        return (self.folder / prediction.image_id).is_dir()


def crop_of(picture: Image.Image, box: Sequence[float]) -> Image.Image:
    """The part of a picture that a box (x1, y1, x2, y2) in its pixels touches; at least one pixel inside it."""
    spans = []
    for low, high, side in ((box[0], box[2], picture.width), (box[1], box[3], picture.height)):
        start = min(max(math.floor(low), 0), side - 1)
        spans.append((start, max(start + 1, min(math.ceil(high), side))))
    (left, right), (top, bottom) = spans
    return picture.crop((left, top, right, bottom))
