"""The box of a whole image, which is how a caption of the whole image is stored."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def whole_boxes(sizes: Sequence[tuple[int, int]], device: torch.device | None = None) -> list[Tensor]:
    """The (1, 4) box of each image of these (height, width)."""
    return [torch.tensor([[0.0, 0.0, width, height]], device=device) for height, width in sizes]


def is_whole(boxes: Tensor, sizes: Tensor) -> Tensor:
    """(N,) whether boxes (N, 4) are whole images of (height, width) ``sizes`` (N, 2), to half a pixel."""
    whole = torch.cat((torch.zeros_like(sizes), sizes.flip(1)), dim=1)
    return ((boxes - whole).abs() < 0.5).all(dim=1)
