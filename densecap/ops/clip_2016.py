"""Clipping as the 2016 code does it: every box comes back a pixel smaller."""

from __future__ import annotations

import torch
from torch import Tensor


def clip_boxes_2016(boxes: Tensor, height: float, width: float) -> tuple[Tensor, Tensor]:
    """Clip (N, 4) boxes to pixels 1..W and 1..H of the original's inclusive coordinates; also gives what is valid (N,).

    Left edges are clamped to [1, W - 1], right edges to [2, W], so a box outside the image becomes a sliver and stays
    valid; converting back loses a pixel of width and height even where nothing was clipped.
    """
    x1, y1 = (boxes[:, 0] + 1).clamp(1, width - 1), (boxes[:, 1] + 1).clamp(1, height - 1)
    x2, y2 = boxes[:, 2].clamp(2, width), boxes[:, 3].clamp(2, height)
    valid = (x2 > x1) & (y2 > y1)
    return torch.stack((x1, y1, x2, y2), dim=-1) - 0.5, valid
