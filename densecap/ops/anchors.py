"""Anchor boxes and the places where they are centred."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

#: The twelve (width, height) pairs of DenseCap: areas of about 64, 128, 256 and 512 squared, three shapes each.
DENSECAP_ANCHORS: tuple[tuple[int, int], ...] = (
    (45, 90), (90, 45), (64, 64),
    (90, 180), (180, 90), (128, 128),
    (181, 362), (362, 181), (256, 256),
    (362, 724), (724, 362), (512, 512),
)  # fmt: skip


class Level(NamedTuple):
    """Geometry of one feature map: cell (i, j) is centred at pixel (offset + stride * j, offset + stride * i).

    For VGG-16 up to conv5_3 the stride is 16 and the offset 8 (8.5 when pixels are counted from 1).
    """

    stride: int
    offset: float


def anchor_boxes(height: int, width: int, level: Level, sizes: Sequence[tuple[float, float]] | Tensor) -> Tensor:
    """Anchors of a (height, width) feature map as (A * height * width, 4) xyxy boxes, neither clipped nor filtered.

    Row ``a * height * width + i * width + j`` is anchor a at cell (i, j), the order of the 2016 code.
    """
    sizes = torch.as_tensor(sizes, dtype=torch.float32)  # (A, 2)
    centre_x = level.offset + level.stride * torch.arange(width, dtype=torch.float32, device=sizes.device)
    centre_y = level.offset + level.stride * torch.arange(height, dtype=torch.float32, device=sizes.device)
    half_width = sizes[:, 0, None, None] / 2  # (A, 1, 1)
    half_height = sizes[:, 1, None, None] / 2
    shape = (sizes.shape[0], height, width)
    x = centre_x[None, None, :].expand(shape)
    y = centre_y[None, :, None].expand(shape)
    boxes = torch.stack((x - half_width, y - half_height, x + half_width, y + half_height), dim=-1)  # (A, h, w, 4)
    return boxes.reshape(sizes.shape[0] * height * width, 4)


def spread_anchors(sizes: Sequence[tuple[float, float]], num_levels: int) -> list[list[tuple[float, float]]]:
    """Deal anchors out to feature maps, smallest areas to the finest map, the same number to each.

    Errors: ValueError when the anchors cannot be divided evenly.
    """
    if len(sizes) % num_levels:
        raise ValueError(f"{len(sizes)} anchors cannot be shared evenly by {num_levels} feature maps")
    ordered = list(sizes) if num_levels == 1 else sorted(sizes, key=lambda size: size[0] * size[1])
    share = len(sizes) // num_levels
    return [ordered[index * share : (index + 1) * share] for index in range(num_levels)]
