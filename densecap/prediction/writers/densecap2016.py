"""results.json as run_model.lua of jcjohnson/densecap writes it for its viewer, with the resized pictures beside it.

    results[]           object  one for every picture, in the order of the source
      .img_name         str     the picture beside it, <image_id>.jpg, resized to a longest side of opt.image_size
      .boxes[]          float[4] x, y, width, height in pixels of the resized picture, its first pixel being 1
      .scores           float[] logits of the objectness, best first
      .captions         str[]
    opt                 object  flags of run_model.lua: checkpoint, image_size, rpn_nms_thresh, final_nms_thresh,
                                num_proposals

The sides of a resized picture are truncated to whole pixels, as the original's are. Scores come from probabilities of
six digits, so they lie between -14.5 and 14.5; the whole picture of a model that finds no regions has 14.5.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from densecap.ops.resize import resize_image, resized_size
from densecap.ops.resize_arrays import resize_whole_array
from densecap.prediction.drawing import image_from_tensor
from densecap.prediction.pictures import PictureOutput, save_jpeg
from densecap.prediction.writers.text import ListWriter, dump
from densecap.structures import Prediction

if TYPE_CHECKING:
    from torch import Tensor

#: Half the last digit of a score in predictions.json: what is nearer to 0 or 1 counts as this.
_LEAST = 5e-7


class Densecap2016Writer(ListWriter):
    """``results.json``, see the module."""

    def __init__(self, target: Path | TextIO, model: dict[str, Any]) -> None:
        super().__init__(target, model, '{"results": [')
        config = model["config"]
        self.image_size = config["image_size"]
        self._flags = {
            "checkpoint": model["checkpoint"],
            "image_size": self.image_size,
            "rpn_nms_thresh": config["detection"]["proposal_nms_iou"],
            "final_nms_thresh": config["detection"]["final_nms_iou"],
            "num_proposals": config["detection"]["max_proposals"],
        }

    def add(self, prediction: Prediction) -> None:
        width, height = prediction.width, prediction.height
        regions = prediction.to_json()["regions"]
        self.add_entry(
            {
                "img_name": picture_name(prediction),
                "boxes": [resized_box(region["box"], width, height, self.image_size) for region in regions],
                "scores": [round(logit(region["score"]), 4) for region in regions],
                "captions": [region["caption"] for region in regions],
            }
        )

    def tail(self, summary: dict[str, Any]) -> str:
        return ', "opt": ' + dump(self._flags) + "}"


class ResizedPictures(PictureOutput):
    """The pictures that ``results.json`` names."""

    name = "densecap"

    def __init__(self, folder: Path, image_size: int) -> None:
        super().__init__(folder, image_size)
        self.image_size = image_size

    def save(self, prediction: Prediction, image: Tensor) -> None:
        resize = resize_whole_array if isinstance(image, np.ndarray) else resize_image
        resized = resize(image, self.image_size, "densecap2016")
        save_jpeg(image_from_tensor(resized), self.folder / picture_name(prediction))

    def is_there(self, prediction: Prediction) -> bool:
        return (self.folder / picture_name(prediction)).is_file()


def picture_name(prediction: Prediction) -> str:
    return f"{prediction.image_id}.jpg"


def resized_box(box: Sequence[float], width: int, height: int, image_size: int) -> list[float]:
    """(x1, y1, x2, y2) in pixels of a picture to (x, y, width, height), counted from 1, in those of the resized one."""
    resized = resized_size(height, width, image_size, truncate=True)
    across, down = resized[1] / width, resized[0] / height
    x1, y1, x2, y2 = box
    return [round(value, 3) for value in (x1 * across + 1, y1 * down + 1, (x2 - x1) * across, (y2 - y1) * down)]


def logit(probability: float) -> float:
    """The number whose logistic function is the probability, which is kept off 0 and 1."""
    kept = min(max(probability, _LEAST), 1 - _LEAST)
    return math.log(kept / (1 - kept))
