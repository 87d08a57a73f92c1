"""What the evaluation takes: one plain record per image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from densecap.errors import UserError

Floats = NDArray[np.float64]


@dataclass
class DenseRecord:
    """Described boxes and truth of one image, all boxes (x1, y1, x2, y2) in continuous pixels of the original image.

    ``boxes`` (D, 4), ``scores`` (D,), ``captions`` D strings: what was predicted, in any order. ``truth_boxes``
    (M, 4), ``truth_captions`` M phrases as annotated. ``width`` and ``height`` of the original image in pixels.
    Errors: UserError, naming image and entry, when lengths differ, a number is not finite, a box is turned inside out
    or a caption is not text. Boxes of zero area and empty captions are allowed.
    """

    image_id: str
    width: float
    height: float
    boxes: Floats
    scores: Floats
    captions: Sequence[str]
    truth_boxes: Floats = field(default_factory=lambda: np.zeros((0, 4)))
    truth_captions: Sequence[str] = ()

    def __post_init__(self) -> None:
        self.boxes = self._checked_boxes("box", self.boxes, len(self.captions))
        self.truth_boxes = self._checked_boxes("truth box", self.truth_boxes, len(self.truth_captions))
        self.scores = np.asarray(self.scores, np.float64).reshape(-1)
        if len(self.scores) != len(self.boxes):
            raise UserError(f"image {self.image_id} has {len(self.boxes)} boxes but {len(self.scores)} scores")
        self._refuse(~np.isfinite(self.scores), "score", self.scores, "a finite number")
        if not (self.width > 0 and self.height > 0):
            raise UserError(f"image {self.image_id} needs a size in pixels, got {self.width} x {self.height}")
        for kind, texts in (("caption", self.captions), ("truth caption", self.truth_captions)):
            for index, text in enumerate(texts):
                if not isinstance(text, str):
                    raise UserError(f"image {self.image_id}: {kind} {index} is not text but {text!r}")

    def _checked_boxes(self, kind: str, values: ArrayLike, count: int) -> Floats:
        boxes = np.asarray(values, np.float64)
        if boxes.size == 0:
            boxes = boxes.reshape(0, 4)
        if boxes.ndim != 2 or boxes.shape[1] != 4 or len(boxes) != count:
            raise UserError(f"image {self.image_id} has {count} {kind} captions but boxes of shape {boxes.shape}")
        self._refuse(~np.isfinite(boxes).all(axis=1), kind, boxes, "four finite numbers")
        self._refuse((boxes[:, 2:] < boxes[:, :2]).any(axis=1), kind, boxes, "(x1, y1, x2, y2) with x2 >= x1, y2 >= y1")
        return boxes

    def _refuse(self, wrong: ArrayLike, kind: str, values: Floats, wanted: str) -> None:
        if np.any(wrong):
            index = int(np.argmax(wrong))
            raise UserError(f"image {self.image_id}: {kind} {index} is {values[index].tolist()}, it must be {wanted}")


def on_truth_boxes(record: DenseRecord, captions: Sequence[str], scores: ArrayLike | None = None) -> DenseRecord:
    """The record of the second protocol, captions for ground-truth boxes: ``captions`` M, one per truth box.

    ``scores`` (M,) rank them over the split; without any they all rank the same, in the order given.
    """
    ranked = np.ones(len(captions)) if scores is None else np.asarray(scores, np.float64)
    return replace(record, boxes=record.truth_boxes, scores=ranked, captions=captions)
