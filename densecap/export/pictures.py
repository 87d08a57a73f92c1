"""The picture on which an export is compared with PyTorch."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from densecap.data.images import read_image


def picture_for(path: Path | None) -> Tensor:
    """(3, H, W) uint8: the photo, or coloured patches on a gradient. Errors: UserError for a photo that is none."""
    if path is not None:
        return read_image(path)
    generator = torch.Generator().manual_seed(0)
    rows, columns = torch.linspace(0, 120, 375)[:, None], torch.linspace(0, 120, 500)[None]
    picture = (rows + columns).expand(3, 375, 500).clone()
    for left, top in torch.randint(0, 300, (12, 2), generator=generator).tolist():
        colour = torch.randint(0, 256, (3, 1, 1), generator=generator)
        picture[:, top : top + 40 + left // 4, left : left + 60 + top // 4] = colour.float()
    noise = torch.randint(0, 12, picture.shape, generator=generator)
    return (picture + noise).clamp(0, 255).to(torch.uint8)
