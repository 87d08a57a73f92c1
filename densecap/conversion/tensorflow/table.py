"""The table of TensorFlow's checkpoints, which is leveldb's: sorted keys and values in blocks that an index lists.

https://github.com/google/leveldb/blob/main/doc/table_format.md: blocks, each followed by its type (0 as it is, 1
Snappy) and a checksum; the last 48 bytes say where the index is. A block's keys leave out what they share with the key
before, and its end says where keys are whole.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from densecap.conversion.mapped_file import mapped
from densecap.conversion.tensorflow.crc32c import masked_crc32c
from densecap.conversion.tensorflow.snappy import BrokenBlock, decompressed
from densecap.conversion.wire import Message

KIND = "TensorFlow's checkpoint"

MAGIC = bytes.fromhex("57fb808b247547db")
FOOTER, TRAILER = 48, 5

#: Longest key, keys at most, and bytes that compressed blocks may become in all beside eight times the file's size.
MAX_KEY, MAX_KEYS, MAX_UNPACKED = 4096, 1_000_000, 1 << 28


@dataclass(frozen=True)
class Entry:
    """A key and its value, the bytes from ``start`` to ``stop`` of ``buffer``: the mapped file or a block unpacked."""

    key: bytes
    buffer: mmap.mmap | bytes
    start: int
    stop: int

    def message(self, path: Path) -> Message:
        return Message(path, self.buffer, self.start, self.stop, kind=KIND)


def suits(path: Path) -> bool:
    """Whether a file ends as such tables do."""
    try:
        with path.open("rb") as file:
            file.seek(-len(MAGIC), os.SEEK_END)
            return file.read() == MAGIC
    except OSError:
        return False


def entries(path: Path) -> Iterator[Entry]:
    """The keys and values of a table. Errors: UserError where it is broken or incomplete."""
    return _Table(path, mapped(path)).entries()


class _Table:
    def __init__(self, path: Path, buffer: mmap.mmap) -> None:
        self.path, self.buffer = path, buffer
        self.whole = Message(path, buffer, 0, len(buffer), kind=KIND)
        self.unpacked, self.keys = 0, 0

    def entries(self) -> Iterator[Entry]:
        size = len(self.buffer)
        if size < FOOTER or self.buffer[size - len(MAGIC) :] != MAGIC:
            raise self.whole.error("it does not end as one", size)
        place = size - FOOTER
        for _ in range(2):  # the block of filters, which nobody needs
            _, place = self.whole.varint_at(place)
        end = 0
        for item in self._listed(*self._block(self.whole, place)):
            handle = item.message(self.path)
            start, _ = handle.varint_at(item.start)
            if start < end:  # the same bytes are not read again and again
                raise self.whole.error("two blocks share bytes", start)
            block = self._block(handle, item.start)
            end = start + block[2] - block[1] if block[0] is self.buffer else start + 1
            yield from self._listed(*block)

    def _block(self, message: Message, place: int) -> tuple[mmap.mmap | bytes, int, int]:
        """The bytes of the block whose place and size stand there, unpacked if need be."""
        start, place = message.varint_at(place)
        length, _ = message.varint_at(place)
        stop = start + length
        if stop + TRAILER + FOOTER > len(self.buffer):
            raise self.whole.error(f"a block of {length:,} bytes would leave the file", start)
        packed, checksum = self.buffer[stop], int.from_bytes(self.buffer[stop + 1 : stop + TRAILER], "little")
        with memoryview(self.buffer) as view, view[start : stop + 1] as content:
            if masked_crc32c(content) != checksum:
                raise self.whole.error(f"the checksum of a block of {length:,} bytes is wrong", start)
        if packed == 0:
            return self.buffer, start, stop
        if packed != 1:
            raise self.whole.error(f"a block is packed in the way {packed}, which is not known", stop)
        return self._unpacked(start, stop)

    def _unpacked(self, start: int, stop: int) -> tuple[bytes, int, int]:
        try:
            content = decompressed(self.buffer[start:stop])
        except BrokenBlock as error:
            raise self.whole.error(f"a block cannot be unpacked: {error}", start) from error
        self.unpacked += len(content)
        if self.unpacked > MAX_UNPACKED + 8 * len(self.buffer):
            raise self.whole.error(f"its blocks become more than {self.unpacked:,} bytes", start)
        return content, 0, len(content)

    def _listed(self, buffer: mmap.mmap | bytes, start: int, stop: int) -> Iterator[Entry]:
        """The keys and values of a block."""
        block = Message(self.path, buffer, start, stop, kind=KIND)
        restarts = int.from_bytes(buffer[max(stop - 4, start) : stop], "little")
        end = stop - 4 - 4 * restarts
        if end < start:
            raise block.error("a block says wrongly where its keys are", start)
        key = b""
        while start < end:
            shared, place = block.varint_at(start)
            rest, place = block.varint_at(place)
            length, place = block.varint_at(place)
            if shared > len(key) or shared + rest > MAX_KEY or place + rest + length > end:
                raise block.error("a key or its value would leave the block", start)
            self.keys += 1
            if self.keys > MAX_KEYS:
                raise block.error(f"there are more than {MAX_KEYS:,} keys", start)
            key = key[:shared] + buffer[place : place + rest]
            start = place + rest + length
            yield Entry(key, buffer, place + rest, start)
