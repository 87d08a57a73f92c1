"""A place in a mapped file: every read is checked against what is left before anything is made of it."""

from __future__ import annotations

import mmap
import struct

from densecap.errors import UserError

#: Longest string that is read: words, options and names are short, and Lua code is skipped.
MAX_STRING = 1 << 24


class Torch7Error(UserError):
    """The file is broken at byte ``offset``."""

    def __init__(self, path: str, offset: int, what: str) -> None:
        super().__init__(f"{path} cannot be read as a Torch7 file: {what} (at byte {offset:,}); is it complete?")
        self.offset = offset


class Cursor:
    """Reads little-endian values one after the other; ``long_size`` is 8 or 4, as on the machine that wrote them."""

    def __init__(self, path: str, buffer: mmap.mmap, long_size: int) -> None:
        self.path, self.buffer, self.size = path, buffer, len(buffer)
        self.long_size = long_size
        self.long_code = "q" if long_size == 8 else "i"
        self.position = 0

    def error(self, what: str, offset: int | None = None) -> Torch7Error:
        return Torch7Error(self.path, self.position if offset is None else offset, what)

    @property
    def left(self) -> int:
        return self.size - self.position

    def skip(self, count: int, what: str) -> int:
        """Go on by ``count`` bytes and return where they begin; errors: Torch7Error when there are not so many."""
        if not 0 <= count <= self.left:
            raise self.error(f"{what} would take {count:,} bytes where {self.left:,} are left")
        start = self.position
        self.position += count
        return start

    def integer(self, what: str) -> int:
        return struct.unpack_from("<i", self.buffer, self.skip(4, what))[0]

    def double(self) -> float:
        return struct.unpack_from("<d", self.buffer, self.skip(8, "a number"))[0]

    def longs(self, count: int, what: str) -> tuple[int, ...]:
        start = self.skip(count * self.long_size, what)
        return struct.unpack_from(f"<{count}{self.long_code}", self.buffer, start)

    def string(self, longest: int = MAX_STRING) -> str:
        """A string, in UTF-8 or else Latin-1."""
        length = self.integer("the length of a string")
        if length > longest:
            raise self.error(f"a string would be {length:,} bytes long", self.position - 4)
        start = self.skip(length, "a string")
        content = self.buffer[start : start + length]
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError:
            return content.decode("latin-1")
