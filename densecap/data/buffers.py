"""Memory for batches that is used again once a batch is forgotten.

Fresh memory of a batch's size comes from the operating system page by page, which takes longer than filling it.
"""

from __future__ import annotations

import weakref

import numpy as np
import torch
from torch import Tensor

#: Buffers kept for later, at most; more are only in use when somebody holds on to many batches.
KEPT = 16

_free: list[np.ndarray] = []


def pixel_buffer(*shape: int) -> Tensor:
    """A uint8 tensor with arbitrary content; its memory returns here when the last tensor that shares it is gone."""
    size = int(np.prod(shape))
    buffer = _take(size)
    view = buffer[:size].reshape(shape)
    weakref.finalize(view, _give_back, buffer).atexit = False
    return torch.from_numpy(view)


def _take(size: int) -> np.ndarray:
    for _ in range(len(_free)):
        try:
            buffer = _free.pop(0)
        except IndexError:  # another thread was faster
            break
        if len(buffer) >= size:
            return buffer
        # Too small for what is needed now: larger ones take its place.
    return np.empty(size, dtype=np.uint8)


def _give_back(buffer: np.ndarray) -> None:
    if len(_free) < KEPT:
        _free.append(buffer)
