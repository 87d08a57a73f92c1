"""Snappy blocks (format_description.txt of google/snappy): a length, then literals and copies of what came before."""

from __future__ import annotations

#: What two bytes can become at most; more than so many times its own size no block is.
MOST = 64


class BrokenBlock(ValueError):
    """The bytes are no Snappy block, or not all of it."""


def decompressed(data: bytes) -> bytes:
    """Errors: BrokenBlock. The result is as long as the block says, which is checked before anything is made."""
    length, place = _length(data)
    if length > MOST * len(data):
        raise BrokenBlock(f"it would grow from {len(data):,} to {length:,} bytes")
    made = bytearray()
    while place < len(data):
        place = _copy(data, place, made) if data[place] & 3 else _literal(data, place, made)
        if len(made) > length:
            raise BrokenBlock("it is longer than it says")
    if len(made) != length:
        raise BrokenBlock(f"it has {len(made):,} of {length:,} bytes")
    return bytes(made)


def _length(data: bytes) -> tuple[int, int]:
    value = 0
    for index, byte in enumerate(data[:5]):
        value |= (byte & 127) << (7 * index)
        if byte < 128:
            return value, index + 1
    raise BrokenBlock("its length has no end")


def _literal(data: bytes, place: int, made: bytearray) -> int:
    """Append the bytes that stand there; returns what follows them. Lengths above 60 have bytes of their own."""
    size, place = (data[place] >> 2) + 1, place + 1
    if size > 60:
        extra = size - 60
        size, place = int.from_bytes(data[place : place + extra], "little") + 1, place + extra
    if place + size > len(data):
        raise BrokenBlock("it ends within a literal")
    made += data[place : place + size]
    return place + size


def _copy(data: bytes, place: int, made: bytearray) -> int:
    """Append bytes that came before, which may reach into what is being appended."""
    tag = data[place]
    extra = (0, 1, 2, 4)[tag & 3]
    offset = int.from_bytes(data[place + 1 : place + 1 + extra], "little")
    size = (tag >> 2) + 1
    if tag & 3 == 1:
        size, offset = (tag >> 2 & 7) + 4, offset | (tag >> 5) << 8
    if not 0 < offset <= len(made):
        raise BrokenBlock("a copy begins before the beginning")
    source = bytes(made[-offset:][:size])
    made += (source * (size // len(source) + 1))[:size]
    return place + 1 + extra
