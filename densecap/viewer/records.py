"""What the page shows: images with the regions that one or two files, and the truth, say are in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from densecap.evaluation.predictions import PredictedImage
from densecap.metrics.dense_map.records import Floats
from densecap.viewer.photos import Photo

#: Corners x1, y1, x2, y2 in pixels of the original image.
Box = tuple[float, float, float, float]

#: A box that is nowhere farther from its image's edges than this is the whole image, in pixels.
_WHOLE = 0.5


@dataclass(frozen=True)
class ShownRegion:
    """``box`` is None for the whole image, ``score`` None where the file gives none; ``others`` are its captions after
    the first, where it has several."""

    box: Box | None
    score: float | None
    caption: str
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """An image in a file, as it was read; ``others`` as in ``ShownRegion``, by region; ``frame`` of a video."""

    image: PredictedImage
    others: Sequence[tuple[str, ...]] = ()
    frame: int | None = None


@dataclass
class ShownFile:
    """A file of predictions. ``facts`` are names and values that say what made it."""

    title: str
    facts: list[tuple[str, str]]
    whole_images: bool


@dataclass
class ShownImage:
    """An image: ``width`` and ``height`` of the original in pixels; ``regions`` of each file, best first, None where
    the file does not have the image; ``truth`` None where there is none to compare with."""

    image_id: str
    name: str
    width: float
    height: float
    photo: Photo | None
    regions: list[list[ShownRegion] | None] = field(default_factory=list)
    truth: list[ShownRegion] | None = None


def shown_box(corners: Floats, width: float, height: float) -> Box | None:
    """Four corners as the page has them: a tenth of a pixel, None for the whole image."""
    if (abs(corners - [0, 0, width, height]) < _WHOLE).all():
        return None
    x1, y1, x2, y2 = (round(float(value), 1) for value in corners)
    return x1, y1, x2, y2
