"""The square pictures that a backbone sees of an image or of a box in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from densecap.errors import UserError

#: Pixels of a square's side; several: the picture is seen at each of these, and the mean of the features taken.
InputSize: TypeAlias = int | tuple[int, ...]

#: What is done to a picture that is not square.
CROPS = {
    "squash": "both sides are resized to S",
    "squash_center": "both sides are resized to 8/7 S, and the middle is kept",
    "center": "the short side is resized to S, what the long side has beyond it is cut off at both ends",
    "ten": "the short side is resized to 8/7 S; four corners and the centre, and the mirror image of each",
}


def check_crop(crop: str) -> None:
    """Errors: UserError for a name that is not in ``CROPS``."""
    if crop not in CROPS:
        raise UserError(f"model.crop={crop} is not known: it must be {', '.join(CROPS)}")


def sizes_of(input_size: int | Sequence[int]) -> tuple[int, ...]:
    """The sides in pixels at which a picture is seen, one after the other, ascending.

    Errors: UserError for none, one below 1, or the same one twice.
    """
    sizes = (input_size,) if isinstance(input_size, int) else tuple(input_size)
    if not sizes or len(set(sizes)) < len(sizes) or not all(isinstance(size, int) and size > 0 for size in sizes):
        raise UserError(f"input_size is a number of pixels, or several different ones as [224,320], got {input_size}")
    return tuple(sorted(sizes))


def canonical_size(input_size: int | Sequence[int]) -> InputSize:
    """A single side as a number, several as a tuple; errors as for ``sizes_of``."""
    sizes = sizes_of(input_size)
    return sizes[0] if len(sizes) == 1 else sizes


def in_words(input_size: InputSize) -> str:
    """As "224" or "224, 320 and 448"."""
    *others, last = map(str, sizes_of(input_size))
    return f"{', '.join(others)} and {last}" if others else last


def num_views(crop: str) -> int:
    """K, the number of squares of one picture."""
    return 10 if crop == "ten" else 1


def views(image: Tensor, size: int, crop: str) -> Tensor:
    """(3, H, W) uint8 -> (K, 3, S, S) uint8, S being ``size``; resized with antialiasing, as everywhere here."""
    if crop == "squash":
        return resized(image, size, size)[None]
    if crop == "squash_center":
        side = round(size * 8 / 7)
        image = resized(image, side, side)
        return image[None, :, *_middle(image, size)]
    if crop == "center":
        image = short_side_resized(image, size)
        return image[None, :, *_middle(image, size)]
    image = short_side_resized(image, round(size * 8 / 7))  # 256 for 224, as AlexNet was tested
    right, bottom = image.shape[2] - size, image.shape[1] - size
    corners = [(top, left) for top in (0, bottom) for left in (0, right)]
    pieces = [image[:, top : top + size, left : left + size] for top, left in corners]
    five = torch.stack([*pieces, image[:, *_middle(image, size)]])  # (5, 3, S, S)
    return torch.cat((five, five.flip(3)))  # (10, 3, S, S)


def crop_box(image: Tensor, box: tuple[float, float, float, float]) -> Tensor:
    """The pixels of (3, H, W) that a box x1, y1, x2, y2 touches, at least one."""
    height, width = image.shape[1:]
    left = min(max(math.floor(box[0]), 0), width - 1)
    top = min(max(math.floor(box[1]), 0), height - 1)
    right = min(max(math.ceil(box[2]), left + 1), width)
    bottom = min(max(math.ceil(box[3]), top + 1), height)
    return image[:, top:bottom, left:right]


def short_side_resized(image: Tensor, length: int) -> Tensor:
    """(3, H, W) with the shorter side ``length`` pixels long, the other in proportion."""
    height, width = image.shape[1:]
    scale = length / min(height, width)
    return resized(image, max(length, round(height * scale)), max(length, round(width * scale)))


def resized(image: Tensor, height: int, width: int) -> Tensor:
    if image.shape[1:] == (height, width):
        return image
    from torchvision.transforms.v2 import functional as transforms  # takes seconds, so only where an image is resized

    return transforms.resize(image, [height, width], antialias=True)


def _middle(image: Tensor, size: int) -> tuple[slice, slice]:
    top, left = (image.shape[1] - size) // 2, (image.shape[2] - size) // 2
    return slice(top, top + size), slice(left, left + size)
