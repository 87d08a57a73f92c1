"""Decoded pixels as what the process works on."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ImportError:
        return False


_ARRAYS = not _is_installed("torch")


def use_arrays() -> None:
    """From now on pictures are arrays, and PyTorch, which takes seconds to import, is left alone."""
    global _ARRAYS
    _ARRAYS = True


def uses_torch() -> bool:
    """Whether pictures are tensors here: unless PyTorch is not installed, or ``use_arrays`` was called."""
    return not _ARRAYS


def image_of_pixels(pixels: np.ndarray) -> Tensor:
    """(H, W, 3) uint8 -> a (3, H, W) tensor, or an array of that shape where PyTorch is not used: for the models of
    ``densecap.onnx_runtime``. What writes predictions takes both."""
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1))
    if not uses_torch():
        return planes  # type: ignore[return-value]
    import torch

    return torch.from_numpy(planes)
