"""A variable in a checkpoint of TensorFlow: its shape, its type, and pieces of its numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from densecap.conversion.tensorflow.table import KIND
from densecap.conversion.wire import VARINT, Field, Message
from densecap.errors import UserError

#: Types by their number (types.proto); numbers are read of the first only.
FLOAT = 1
TYPES = {
    FLOAT: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 7: "string", 8: "complex64",
    9: "int64", 10: "bool", 14: "bfloat16", 19: "float16",
}  # fmt: skip

MAX_DIMENSIONS = 16

#: (first, length) along each axis; a length of None reaches to the end.
Extent = tuple[tuple[int, int | None], ...]


@dataclass
class Variable:
    """``pieces`` are (extent, numbers in a row); most variables are one piece, a view of the file."""

    path: Path
    name: str
    shape: tuple[int, ...]
    type: int
    pieces: list[tuple[Extent, Callable[[], np.ndarray]]] = field(default_factory=list)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def type_name(self) -> str:
        return TYPES.get(self.type, f"type {self.type}")

    def array(self) -> np.ndarray:
        """Float32, in its shape. Errors: UserError for another type and for numbers that are missing."""
        if self.type != FLOAT:
            raise self.error(f"it should be float32, but it is {self.type_name}")
        pieces = [(self._lengths(extent), numbers()) for extent, numbers in self.pieces]
        found = sum(len(numbers) for _, numbers in pieces)
        if found != self.size or any(math.prod(lengths) != len(numbers) for lengths, numbers in pieces):
            raise self.error(f"{found:,} of {self.size:,} numbers are there")
        if len(pieces) == 1:
            return pieces[0][1].reshape(self.shape)
        whole = np.zeros(self.shape, np.float32)
        for (lengths, numbers), (extent, _) in zip(pieces, self.pieces):
            places = tuple(slice(first, first + length) for (first, _), length in zip(extent, lengths))
            whole[places] = numbers.reshape(lengths)
        return whole

    def _lengths(self, extent: Extent) -> tuple[int, ...]:
        """The sizes of a piece; without an extent it is the whole."""
        if not extent:
            return self.shape
        if len(extent) != len(self.shape):
            raise self.error(f"a piece of it has {len(extent)} dimensions")
        lengths = tuple(size if length is None else length for (_, length), size in zip(extent, self.shape))
        if any(first + length > size for (first, _), length, size in zip(extent, lengths, self.shape)):
            raise self.error("a piece of it would leave it")
        return lengths

    def error(self, what: str) -> UserError:
        return UserError(f"{self.path} cannot be read as {KIND}: {self.name} is {self.shape}: {what}")


def shape_of(message: Message) -> tuple[int, ...]:
    """A TensorShapeProto. Errors: UserError for a size below 0 or too many."""
    sizes = []
    for item in message.fields():
        if item.number == 2:
            inner = message.inner(item)
            values = [part.value for part in inner.fields() if part.number == 1 and part.kind == VARINT]
            sizes.append(values[0] if values else 0)
    if len(sizes) > MAX_DIMENSIONS or any(size >= 1 << 48 for size in sizes):
        raise message.error(f"a variable has the sizes {sizes[:MAX_DIMENSIONS]}", message.start)
    return tuple(sizes)


def extent_of(message: Message) -> Extent:
    """A TensorSliceProto."""
    extents: list[tuple[int, int | None]] = []
    for item in message.fields():
        if item.number == 1:
            inner = message.inner(item)
            values: dict[int, int | None] = {part.number: part.value for part in inner.fields()}
            extents.append((values.get(1, 0) or 0, values.get(2)))
    if all(extent == (0, None) for extent in extents):
        return ()
    return tuple(extents)


def numbers_of(message: Message) -> Callable[[], np.ndarray]:
    """The numbers of a TensorProto, in a row; those of other types than float32 are not looked at."""
    found: list[Field] = [item for item in message.fields() if item.number in (4, 5)]

    def numbers() -> np.ndarray:
        parts = [np.asarray(message.floats(item), np.float32) for item in found]
        return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, np.float32), *parts])

    return numbers
