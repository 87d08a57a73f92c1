"""What a pickle is made of here: arrays of NumPy in a mapped file, and the few names that may stand in one."""

from __future__ import annotations

import math
import mmap
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

#: What a pickle may name (module, name) -> what it is here.
RECONSTRUCT, NDARRAY, DTYPE, SCALAR, ENCODE, ORDERED = "_reconstruct", "ndarray", "dtype", "scalar", "encode", "ordered"
NAMES = {
    ("numpy.core.multiarray", "_reconstruct"): RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): RECONSTRUCT,
    ("numpy.core.multiarray", "scalar"): SCALAR,
    ("numpy._core.multiarray", "scalar"): SCALAR,
    ("numpy", "ndarray"): NDARRAY,
    ("numpy", "dtype"): DTYPE,
    ("_codecs", "encode"): ENCODE,
    ("collections", "OrderedDict"): ORDERED,
}

_TYPE = re.compile(r"(b1|[iu][1248]|f[248]|[SU]\d{1,6}|O[48]?)")


class Refused(ValueError):
    """What stands in the pickle is broken, or is not taken from one."""


@dataclass(frozen=True)
class Name:
    """One of ``NAMES``, or any other: a mistake only when something is made of it."""

    text: str
    known: str | None


@dataclass(frozen=True)
class Span:
    """Bytes of the file that are too many to be taken out."""

    buffer: mmap.mmap
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass
class DType:
    """``code`` is a kind and a size, such as "f4"."""

    code: str
    order: str = "<"

    @classmethod
    def of(cls, arguments: Any) -> DType:
        code = arguments[0] if isinstance(arguments, tuple) and arguments else None
        if not isinstance(code, str) or _TYPE.fullmatch(code) is None:
            raise Refused(f"arrays of the type {str(code)[:40]!r} are not read")
        return cls(code)

    def set_state(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) < 5 or state[1] not in ("<", ">", "|", "="):
            raise Refused("a type of an array is not described as one")
        if any(part is not None for part in state[2:5]):
            raise Refused("arrays of records are not read")
        self.order = state[1]

    @property
    def is_object(self) -> bool:
        return self.code.startswith("O")

    def numpy(self) -> np.dtype:
        return np.dtype(self.order + self.code if self.order in "<>" else self.code)


@dataclass
class Array:
    """An array whose numbers are in the file, or in ``data`` as bytes; of objects, a list of them."""

    shape: tuple[int, ...] = ()
    dtype: DType = field(default_factory=lambda: DType("f8"))
    fortran: bool = False
    data: Span | bytes | list[Any] | None = None

    def set_state(self, state: Any) -> None:
        """Errors: Refused unless it is the state of an array, as large as it says."""
        if not isinstance(state, tuple) or len(state) not in (4, 5):
            raise Refused("an array is not described as one")
        shape, dtype, fortran, data = state[-4:]
        sizes = isinstance(shape, tuple) and len(shape) <= 32 and all(type(size) is int and size >= 0 for size in shape)
        if not sizes or not isinstance(dtype, DType):
            raise Refused("an array has no shape or no type")
        data = data.encode("latin-1") if isinstance(data, str) else data
        if isinstance(data, list) != dtype.is_object or not isinstance(data, list | bytes | Span):
            raise Refused(f"the numbers of an array are {type(data).__name__}")
        count = math.prod(shape)
        wanted = count if dtype.is_object else count * dtype.numpy().itemsize
        if len(data) != wanted:
            raise Refused(f"an array of {shape} should take {wanted:,}, but {len(data):,} are there")
        self.shape, self.dtype, self.fortran, self.data = shape, dtype, bool(fortran), data

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def items(self) -> list[Any]:
        """The objects of an array of them. Errors: Refused for numbers."""
        if not isinstance(self.data, list):
            raise Refused(f"there should be an array of objects, but it is one of {self.dtype.code}")
        return self.data

    def array(self) -> np.ndarray:
        """The numbers, a view of the file where they lie in it. Errors: Refused for objects."""
        if isinstance(self.data, list) or self.data is None:
            raise Refused("there should be an array of numbers, but it is one of objects")
        dtype = self.dtype.numpy()
        if isinstance(self.data, Span):
            flat = np.frombuffer(self.data.buffer, dtype, self.size, self.data.start)
        else:
            flat = np.frombuffer(self.data, dtype, self.size)
        return flat.reshape(self.shape, order="F" if self.fortran else "C")
