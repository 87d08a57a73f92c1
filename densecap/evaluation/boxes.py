"""How a file writes its boxes, and the way from there to corners in original pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from densecap.metrics.dense_map.records import Floats

Layout = Literal["xyxy", "xywh", "cxcywh"]

#: Layouts in words.
LAYOUTS: dict[Layout, str] = {
    "xyxy": "corners (x1, y1, x2, y2)",
    "xywh": "corner and size (x, y, width, height)",
    "cxcywh": "centre and size (x, y, width, height)",
}


@dataclass(frozen=True)
class BoxForm:
    """What the four numbers of a box mean.

    ``unit`` is "original" pixels, "normalised" to 0..1 by the sides of the image, or the longest side in pixels of the
    resized image that the boxes are in, its sides truncated to whole pixels. ``origin`` is the number of the first
    pixel, 0 or 1; sides do not depend on it.
    """

    layout: Layout = "xyxy"
    unit: int | Literal["original", "normalised"] = "original"
    origin: int = 0

    @property
    def words(self) -> str:
        """As "corners (x1, y1, x2, y2) in pixels of the original image"."""
        if self.unit == "original":
            where = "in pixels of the original image"
        elif self.unit == "normalised":
            where = "in fractions (0 to 1) of the image's sides"
        else:
            where = f"in pixels of the image resized to a longest side of {self.unit}"
        return f"{LAYOUTS[self.layout]} {where}" + (", counted from 1" if self.origin else "")

    def boxes(self, numbers: Floats, width: float, height: float) -> Floats:
        """Numbers (D, 4) of an image of that original size to corners (D, 4) in its original pixels."""
        corners = np.array(numbers, np.float64).reshape(-1, 4)
        corners[:, :2] -= self.origin
        if self.layout == "cxcywh":
            corners[:, :2] -= corners[:, 2:] / 2
        if self.layout != "xyxy":
            corners[:, 2:] += corners[:, :2]
        return corners * self.scale(width, height)

    def scale(self, width: float, height: float) -> Floats:
        """Factors (4,) from the form's unit to original pixels."""
        sides = np.array([width, height], np.float64)
        if self.unit == "original":
            return np.ones(4)
        if self.unit == "normalised":
            return np.tile(sides, 2)
        resized = np.maximum(np.floor(sides * (self.unit / sides.max()) + 1e-9), 1)  # the term keeps 500 * 1.44 at 720
        return np.tile(sides / resized, 2)
