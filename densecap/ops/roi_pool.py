"""Bilinear region pooling, differentiable in the features and in the boxes (DenseCap section 3.2.3).

Every region gives size x size samples, one bilinear sample a bin, spread from edge to edge of the box.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from densecap.ops.anchors import Level


def pooling_points(boxes: Tensor, size: int, level: Level) -> tuple[Tensor, Tensor]:
    """Rows and columns (R, size) of a feature map where (R, 4) boxes are sampled: column = (x - offset) / stride."""
    steps = torch.linspace(0, 1, size, device=boxes.device, dtype=boxes.dtype)
    x = boxes[:, 0:1] + (boxes[:, 2:3] - boxes[:, 0:1]) * steps
    y = boxes[:, 1:2] + (boxes[:, 3:4] - boxes[:, 1:2]) * steps
    return (y - level.offset) / level.stride, (x - level.offset) / level.stride


def pooling_points_2016(
    boxes: Tensor, size: int, image_size: tuple[int, int], map_size: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """The same as the original places them: half sizes over H and W, but centres over H - 1 and W - 1.

    The whole image samples exactly the first to the last row; elsewhere the grid disagrees with the anchors by up to
    about 7.5 pixels.
    """
    base = torch.linspace(-1, 1, size, device=boxes.device, dtype=boxes.dtype)

    def axis(low: Tensor, high: Tensor, length: int, cells: int) -> Tensor:
        centre = (low + high) / 2 + 0.5  # counted from 1
        shift = (2 * centre - length - 1) / max(length - 1, 1)
        return ((high - low) / length * base + shift + 1) * (cells - 1) / 2

    rows = axis(boxes[:, 1:2], boxes[:, 3:4], image_size[0], map_size[0])
    columns = axis(boxes[:, 0:1], boxes[:, 2:3], image_size[1], map_size[1])
    return rows, columns


def bilinear_sample(maps: Sequence[Tensor], which: Tensor, rows: Tensor, columns: Tensor, zeros: bool) -> Tensor:
    """Sample ``maps`` at ``rows`` x ``columns`` (R, S); gives (R, C, S, S).

    Each of ``maps`` is (B, C, h, w) with its own B, h and w; ``which`` (R,) counts the B images of the first, then
    those of the second and so on. Outside a map the border value counts, or 0 with ``zeros``. All maps are laid out as
    one table of cells (without a copy for one whose channels lie last in memory), and each sample is a weighted sum of
    four of its rows, so regions of many images and levels are pooled in one call.
    """
    count, size = rows.shape
    channels = maps[0].shape[1]
    tables = [item.permute(0, 2, 3, 1).reshape(item.numel() // channels, channels) for item in maps]
    table = torch.cat(tables) if len(tables) > 1 else tables[0]  # (cells, C)
    sides = [tuple(item.shape[2:]) for item in maps for _ in range(item.shape[0])]
    starts = torch.tensor([0] + [height * width for height, width in sides[:-1]]).cumsum(0).to(rows.device)[which]
    heights, widths = torch.tensor(sides, device=rows.device)[which].split(1, dim=1)  # (R, 1)
    low_row, high_row, row_weights = taps(rows, heights, zeros)
    low_column, high_column, column_weights = taps(columns, widths, zeros)
    row_index = torch.stack((low_row, high_row), dim=-1)  # (R, S, 2)
    column_index = torch.stack((low_column, high_column), dim=-1)
    index = starts[:, None, None, None, None] + (
        row_index[:, :, None, :, None] * widths[:, :, None, None, None] + column_index[:, None, :, None, :]
    )  # (R, S, S, 2, 2)
    weights = row_weights[:, :, None, :, None] * column_weights[:, None, :, None, :]
    bags = (count * size * size, 4)
    pooled = F.embedding_bag(
        index.reshape(bags), table, mode="sum", per_sample_weights=weights.reshape(bags).to(table.dtype)
    )
    return pooled.reshape(count, size * size, channels).transpose(1, 2).reshape(count, channels, size, size)


def taps(position: Tensor, cells: Tensor, zeros: bool) -> tuple[Tensor, Tensor, Tensor]:
    """The two cells around each position (R, S) and their weights (R, S, 2)."""
    last = cells - 1
    if not zeros:
        position = torch.minimum(position.clamp(min=0), last.to(position.dtype))
    low = position.detach().floor()
    fraction = position - low
    weights = torch.stack((1 - fraction, fraction), dim=-1)
    if zeros:
        inside = torch.stack(((low >= 0) & (low <= last), (low >= -1) & (low < last)), dim=-1)
        weights = weights * inside
    low_cell = torch.minimum(low.clamp(min=0).long(), last)
    high_cell = torch.minimum((low + 1).clamp(min=0).long(), last)
    return low_cell, high_cell, weights


def assign_levels(boxes: Tensor, levels: Sequence[Level], canonical_size: float = 224.0) -> Tensor:
    """The level (R,) each box is pooled from: a box of 224 pixels uses stride 16 (FPN section 4.2, equation 1)."""
    strides = torch.tensor([level.stride for level in levels], device=boxes.device, dtype=torch.float32).log2()
    side = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).detach().float().clamp(min=1).sqrt()
    wanted = 4 + (side / canonical_size).log2().floor()  # log2 of the stride
    return (wanted[:, None] - strides).abs().argmin(dim=1)
