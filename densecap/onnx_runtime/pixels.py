"""Pictures as a graph wants them, of (3, H, W) uint8 RGB arrays: as ``densecap.models`` does it of tensors."""

from __future__ import annotations

import numpy as np

from densecap.errors import UserError
from densecap.ops.resize_arrays import resize_array, resize_whole_array

#: What is done to a picture that is not square (``densecap.models.views.CROPS``).
CROPS = ("squash", "squash_center", "center", "ten")


def longest_side_resized(image: np.ndarray, longest: int, filter_name: str) -> np.ndarray:
    """As the model saw its pictures. Errors: UserError for a filter that is not known."""
    try:
        return resize_whole_array(image, longest, filter_name)
    except ValueError as error:
        raise UserError(f"this model wants its pictures resized by {filter_name}, which is not known here") from error


def squares(image: np.ndarray, size: int, crop: str) -> np.ndarray:
    """(K, 3, S, S), as ``densecap.models.views.views``. Errors: UserError for a ``crop`` that is not known."""
    if crop not in CROPS:
        raise UserError(f"this model wants its pictures cropped by {crop}, which is not known here")
    if crop == "squash":
        return _resized(image, size, size)[None]
    if crop == "squash_center":
        side = round(size * 8 / 7)
        return _middle(_resized(image, side, side), size)[None]
    image = _short_side_resized(image, size if crop == "center" else round(size * 8 / 7))
    if crop == "center":
        return _middle(image, size)[None]
    right, bottom = image.shape[2] - size, image.shape[1] - size
    corners = [(top, left) for top in (0, bottom) for left in (0, right)]
    pieces = [image[:, top : top + size, left : left + size] for top, left in corners]
    five = np.stack([*pieces, _middle(image, size)])  # (5, 3, S, S)
    return np.concatenate((five, five[..., ::-1]))  # (10, 3, S, S)


def _resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    return image if image.shape[1:] == (height, width) else resize_array(image, height, width)


def _short_side_resized(image: np.ndarray, length: int) -> np.ndarray:
    height, width = image.shape[1:]
    scale = length / min(height, width)
    return _resized(image, max(length, round(height * scale)), max(length, round(width * scale)))


def _middle(image: np.ndarray, size: int) -> np.ndarray:
    top, left = (image.shape[1] - size) // 2, (image.shape[2] - size) // 2
    return image[:, top : top + size, left : left + size]
