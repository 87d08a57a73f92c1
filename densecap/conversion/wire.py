"""The wire format of protocol buffers, on a mapped file or bytes: fields of a message, checked against where it ends.

https://protobuf.dev/programming-guides/encoding: a field is a varint of its number and type, then a varint (0), 8 bytes
(1), a length and so many bytes (2) or 4 bytes (5).
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from densecap.errors import UserError

VARINT, EIGHT_BYTES, BYTES, FOUR_BYTES = 0, 1, 2, 5

#: Fields of a file that are looked at, at most; a network of Caffe has some thousands.
MAX_FIELDS = 1_000_000


@dataclass(frozen=True)
class Field:
    """Number and type; ``value`` of a varint, else where its bytes lie, from ``start`` to ``stop``.

    Numbers of 4 bytes that are repeated one field after the other are one field, their keys of a byte included.
    """

    number: int
    kind: int
    start: int
    stop: int
    value: int = 0


class Message:
    """The bytes from ``start`` to ``stop`` of ``buffer``, read as fields; ``looked_at`` counts those of the file.

    ``kind`` is what the file is said to be in errors.
    """

    def __init__(
        self,
        path: Path,
        buffer: mmap.mmap | bytes,
        start: int,
        stop: int,
        looked_at: list[int] | None = None,
        kind: str = "Caffe's weights",
    ) -> None:
        self.path, self.buffer, self.start, self.stop = path, buffer, start, stop
        self.looked_at = [0] if looked_at is None else looked_at
        self.kind = kind

    def error(self, what: str, offset: int) -> UserError:
        return UserError(f"{self.path} cannot be read as {self.kind}: {what} (at byte {offset:,}); is it complete?")

    def fields(self) -> Iterator[Field]:
        """Errors: UserError where the bytes are no fields, or one would end behind the message."""
        place = self.start
        while place < self.stop:
            self.looked_at[0] += 1
            if self.looked_at[0] > MAX_FIELDS:
                raise self.error(f"there are more than {MAX_FIELDS:,} fields", place)
            key, first = self.varint_at(place)
            field = self._field(key >> 3, key & 7, first)
            if field.number == 0 or field.stop > self.stop:
                size = field.stop - field.start
                raise self.error(f"field {field.number} would take {size:,} of {self.stop - first:,} bytes", place)
            if field.kind == FOUR_BYTES and first == place + 1:
                field = self._repeated(field)
            yield field
            place = field.stop

    def _field(self, number: int, kind: int, start: int) -> Field:
        if kind == VARINT:
            value, stop = self.varint_at(start)
            return Field(number, kind, start, stop, value)
        if kind == BYTES:
            length, first = self.varint_at(start)
            return Field(number, kind, first, first + length)
        if kind in (EIGHT_BYTES, FOUR_BYTES):
            return Field(number, kind, start, start + (8 if kind == EIGHT_BYTES else 4))
        raise self.error(f"there is no type of field {kind}", start)

    def _repeated(self, field: Field) -> Field:
        """The field with the numbers that follow under the same key."""
        keys = np.frombuffer(self.buffer, np.uint8, self.stop - field.start + 1, field.start - 1)[::5]
        others = np.flatnonzero(keys != keys[0])
        count = min(int(others[0]) if len(others) else len(keys), (self.stop - field.start + 1) // 5)
        return replace(field, stop=field.start + 5 * count - 1)

    def varint_at(self, place: int) -> tuple[int, int]:
        """The number at a place, and where it ends."""
        value = 0
        for index, byte in enumerate(self.buffer[place : min(place + 10, self.stop)]):
            value |= (byte & 127) << (7 * index)
            if byte < 128:
                return value, place + index + 1
        raise self.error("a number has no end", place)

    def inner(self, field: Field) -> Message:
        """The message in a field. Errors: UserError when the field is none."""
        if field.kind != BYTES:
            raise self.error(f"field {field.number} should hold a message", field.start)
        return Message(self.path, self.buffer, field.start, field.stop, self.looked_at, self.kind)

    def text(self, field: Field, longest: int = 256) -> str:
        return self.buffer[field.start : min(field.stop, field.start + longest)].decode("utf-8", errors="replace")

    def varints(self, field: Field, most: int = 32) -> list[int]:
        """A repeated whole number, packed in one field or alone in its own; ``most`` of them at most."""
        if field.kind == VARINT:
            return [field.value]
        found: list[int] = []
        place = field.start
        while place < field.stop and len(found) < most:
            value, place = self.varint_at(place)
            found.append(value)
        return found

    def floats(self, field: Field) -> np.ndarray:
        """Numbers of 4 bytes, a view of the file, whether packed in one field or each in its own."""
        if field.kind == BYTES:
            return np.frombuffer(self.buffer, "<f4", (field.stop - field.start) // 4, field.start)
        count = (field.stop - field.start + 1) // 5
        if count <= 1:
            return np.frombuffer(self.buffer, "<f4", 1, field.start)
        records = np.dtype([("key", "u1"), ("value", "<f4")])
        return np.frombuffer(self.buffer, records, count, field.start - 1)["value"]
