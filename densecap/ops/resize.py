"""Resizing an image so that its longest side has a given length."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def resized_size(height: int, width: int, longest: int, truncate: bool = False) -> tuple[int, int]:
    """(height, width) after scaling the longest side to ``longest``: rounded, or truncated as the 2016 code does."""
    scale = longest / max(height, width)
    convert = int if truncate else round
    # The tiny term keeps 500 * (720 / 500) from truncating to 719.
    nudge = 1e-9 if truncate else 0.0
    return max(1, convert(height * scale + nudge)), max(1, convert(width * scale + nudge))


def resize_image(image: Tensor, longest: int, filter_name: str = "antialias") -> Tensor:
    """Resize a (3, H, W) uint8 image to ``longest`` pixels on its longest side; small images are enlarged.

    ``filter_name`` is "antialias" (bilinear, antialiased, as Pillow does) or "densecap2016" (Torch7's
    ``image.scale``: box averaging downwards, corner-aligned linear upwards, sizes truncated).
    """
    height, width = image.shape[-2:]
    if filter_name == "densecap2016":
        size = resized_size(height, width, longest, truncate=True)
        return image if size == (height, width) else _scale_torch7(image, *size)
    if filter_name != "antialias":
        raise ValueError(f"filter_name is 'antialias' or 'densecap2016', got {filter_name!r}")
    size = resized_size(height, width, longest)
    if size == (height, width):
        return image
    from torchvision.transforms.v2 import functional as transforms  # takes seconds, so only where an image is resized

    return transforms.resize(image, list(size), antialias=True)


def _scale_torch7(image: Tensor, height: int, width: int) -> Tensor:
    import torch

    rows = _scale_matrix(image.shape[-2], height)  # (h, H)
    columns = _scale_matrix(image.shape[-1], width)  # (w, W)
    scaled = rows @ image.to(torch.float32) @ columns.T  # (3, h, w)
    return scaled.round().clamp(0, 255).to(torch.uint8)


def _scale_matrix(source: int, target: int) -> Tensor:
    """(target, source) weights of one axis of Torch7's bilinear ``image.scale``; every row sums to 1."""
    import torch

    index = torch.arange(source, dtype=torch.float64)
    if target > source:
        ratio = (source - 1) / max(target - 1, 1)
        position = torch.arange(target, dtype=torch.float64)[:, None] * ratio
        weights = (1 - (position - index).abs()).clamp(min=0)
    else:
        start = torch.arange(target, dtype=torch.float64)[:, None] * (source / target)
        stop = start + source / target
        weights = (torch.minimum(stop, index + 1) - torch.maximum(start, index)).clamp(min=0)
    return (weights / weights.sum(dim=1, keepdim=True)).to(torch.float32)
