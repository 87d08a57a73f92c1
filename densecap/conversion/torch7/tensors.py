"""Tensors and storages of a Torch7 file: where they lie in it, read only when they are asked for.

Parameters are views into few long storages, so a tensor is a strided view of the mapped file: what nobody asks for
(gradients, cached outputs) costs nothing.
"""

from __future__ import annotations

import math
import mmap
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from densecap.errors import UserError

#: Name in the class -> NumPy's type; Cuda alone is float. ``long`` depends on the machine that wrote the file.
TYPES = {
    "Byte": "<u1",
    "Char": "<i1",
    "Short": "<i2",
    "Int": "<i4",
    "Half": "<f2",
    "Float": "<f4",
    "Double": "<f8",
    "Cuda": "<f4",
}

_CLASS = re.compile(r"torch\.(?:Cuda)?(Byte|Char|Short|Int|Long|Half|Float|Double|(?<=Cuda))(Tensor|Storage)")


def element_type(class_name: str, long_size: int) -> tuple[str, np.dtype] | None:
    """("Tensor" or "Storage", type of its numbers) of a class of numbers, None for every other class."""
    match = _CLASS.fullmatch(class_name)
    if match is None:
        return None
    name = match[1] or "Cuda"
    return match[2], np.dtype(f"<i{long_size}" if name == "Long" else TYPES[name])


@dataclass(frozen=True, eq=False)
class Storage:
    """``length`` numbers from the byte ``position`` of the mapped file."""

    class_name: str
    buffer: mmap.mmap
    position: int
    length: int
    dtype: np.dtype

    def array(self) -> np.ndarray:
        """(length,) numbers, a view of the file."""
        return np.frombuffer(self.buffer, self.dtype, self.length, self.position)


@dataclass(frozen=True, eq=False)
class Tensor7:
    """A view of a storage; ``strides`` and ``start`` count numbers, ``start`` from 0. The reader checked its bounds."""

    class_name: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    start: int
    storage: Storage | None

    @property
    def size(self) -> int:
        """How many numbers it shows; 0 without dimensions, as in Torch7."""
        return math.prod(self.shape) if self.shape else 0

    @property
    def last(self) -> int:
        """The place of its last number in the storage, from 0."""
        return self.start + sum((size - 1) * stride for size, stride in zip(self.shape, self.strides))

    def array(self) -> np.ndarray:
        """The numbers, a view of the file. Errors: UserError for one that shows more numbers than it stores."""
        if self.storage is None or self.size == 0:
            dtype: Any = np.float32 if self.storage is None else self.storage.dtype
            return np.empty(self.shape if self.shape else (0,), dtype)
        if self.size > self.storage.length:
            raise UserError(f"a {self.class_name} of {self.shape} repeats the {self.storage.length} numbers it stores")
        item = self.storage.dtype.itemsize
        return as_strided(self.storage.array()[self.start :], self.shape, [item * stride for stride in self.strides])
