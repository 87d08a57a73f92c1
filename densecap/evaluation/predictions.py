"""What any predictions file comes to, whatever its format."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from densecap.evaluation.boxes import BoxForm
from densecap.metrics.dense_map.records import Floats


@dataclass
class PredictedImage:
    """What a file says about one image.

    ``where`` names the entry for messages ("images[3]"). ``image_id`` and ``file`` are as in the file, one of them may
    be missing; ``width`` and ``height`` are the size the boxes refer to, where the file says so. ``numbers`` (D, 4) are
    the boxes as written, ``scores`` (D,) any finite numbers, ``captions`` D texts. A caption of the whole image is one
    caption without numbers.
    """

    where: str
    image_id: str | None
    file: str | None
    numbers: Floats
    scores: Floats
    captions: list[str]
    width: float | None = None
    height: float | None = None

    @property
    def name(self) -> str:
        return self.file or str(self.image_id)


@dataclass
class Predictions:
    """A whole file. ``whole_images``: its captions are of whole images, without boxes.

    ``vocabulary`` are the words of the model, when the file carries them; ``model`` what it says about the model;
    ``notes`` what a reader of the figures should know.
    """

    path: Path
    format: str
    form: BoxForm
    images: list[PredictedImage]
    whole_images: bool = False
    model: dict[str, Any] | None = None
    vocabulary: list[str] | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def num_captions(self) -> int:
        return sum(len(image.captions) for image in self.images)


def image_of_rows(
    where: str, image_id: str | None, file: str | None, rows: list[tuple[list[float], float, str]]
) -> PredictedImage:
    """An image from its (box, score, caption) rows."""
    numbers = np.array([box for box, _, _ in rows], np.float64).reshape(-1, 4)
    scores = np.array([score for _, score, _ in rows], np.float64)
    return PredictedImage(where, image_id, file, numbers, scores, [caption for _, _, caption in rows])
