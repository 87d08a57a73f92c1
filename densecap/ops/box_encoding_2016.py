"""Boxes as the 2016 code stored and used them: whole numbers (xc, yc, width, height), 1-indexed, in resized pixels.

From preprocess.py of jcjohnson/densecap (fact: the clamp uses the canvas, a square of ``size`` pixels, for both axes).
Needed for figures that are to be compared with the original's to the last digit; nothing else rounds boxes.
"""

from __future__ import annotations

import torch
from torch import Tensor


def encode_boxes_2016(boxes_xywh: Tensor, height: int, width: int, size: int = 720) -> Tensor:
    """(N, 4) Visual Genome rows (x, y, width, height) of an image of height x width to (N, 4) int64 (xc, yc, w, h).

    ``size`` is what the longest side is scaled to. Sides may come out as 0.
    """
    scale = size / max(height, width)
    rows = boxes_xywh.to(torch.float64)
    corner = _round_half_away(scale * (rows[:, :2] - 1) + 1).clamp(1, size - 1)
    sides = _round_half_away(scale * rows[:, 2:])
    sides = torch.where(corner + sides > size, size - corner, sides)
    centre = corner + torch.div(sides, 2, rounding_mode="floor")
    return torch.cat([centre, sides], dim=1).to(torch.int64)


def xyxy_from_encoded_2016(boxes_encoded: Tensor) -> Tensor:
    """(N, 4) 1-indexed (xc, yc, w, h) to xyxy in continuous pixels, where the centre of pixel 1 is at 0.5."""
    centre, sides = boxes_encoded[:, :2].to(torch.float32), boxes_encoded[:, 2:].to(torch.float32)
    return torch.cat([centre - sides / 2 - 0.5, centre + sides / 2 - 0.5], dim=1)


def _round_half_away(values: Tensor) -> Tensor:
    """Python 2's ``round``: 0.5 to 1, -0.5 to -1."""
    whole = values.abs().floor()
    return (whole + (values.abs() - whole >= 0.5)) * values.sign()
