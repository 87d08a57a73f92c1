"""Reading ``multipart/x-mixed-replace``: the pictures that cameras send one after the other in one answer (MJPEG).

Each part is ``--boundary``, header lines, a blank line and the picture (RFC 2046, section 5.1). Cameras do it in their
own ways, and these are read too: a boundary that is announced with its dashes, wrongly or not at all; a first part
without one; parts without Content-Length; line ends without carriage return.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from densecap.errors import UserError

_CHUNK = 1 << 16

#: Longest line in a header in bytes, and most lines of one.
_LINE, _LINES = 4096, 100


def boundary_in(content_type: str) -> bytes | None:
    """The boundary that a Content-Type announces, without dashes in front; None where it announces none."""
    match = re.search(r'boundary\s*=\s*(?:"([^"]*)"|([^\s;]+))', content_type, re.IGNORECASE)
    return ((match[1] or match[2] or "").lstrip("-").encode() or None) if match else None


def parts(read: Callable[[int], bytes], boundary: bytes | None, max_bytes: int) -> Iterator[bytes]:
    """The contents of the parts in what ``read`` gives (some bytes, at most so many; b"" at the end), until the closing
    boundary.

    Errors: UserError for a part of more than ``max_bytes`` or what is something else, ConnectionError where it ends
    without a closing boundary.
    """
    arriving = _Arriving(read, max_bytes)
    while (header := _header(arriving, boundary)) is not None:
        boundary = header.boundary
        content = arriving.until(boundary) if header.length is None else arriving.exactly(header.length)
        if content:
            yield content


@dataclass
class _Header:
    boundary: bytes | None
    length: int | None = None


def _header(arriving: _Arriving, boundary: bytes | None) -> _Header | None:
    """What stands before a picture, None for the closing boundary."""
    begun, header = False, _Header(boundary)
    for _ in range(_LINES):
        line = arriving.line()
        if line.startswith(b"--"):
            name = line.lstrip(b"-")
            if header.boundary is not None and name == header.boundary + b"--":
                return None
            begun, header = True, _Header(name or boundary)
        elif b":" in line:
            key, _, value = line.partition(b":")
            begun = True
            if key.strip().lower() == b"content-length" and value.strip().isdigit():
                header.length = int(value)
        elif not line and begun:
            return header
    raise UserError("sends no pictures where they should be")


class _Arriving:
    """Bytes as they come."""

    def __init__(self, read: Callable[[int], bytes], max_bytes: int) -> None:
        self._read, self._max_bytes = read, max_bytes
        self._buffer = bytearray()

    def line(self) -> bytes:
        """The next line without its end. Errors: UserError when it is too long."""
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > _LINE:
                raise UserError("sends no lines where they should be")
            self._more()
        return self._take(end, 1).strip()

    def exactly(self, count: int) -> bytes:
        """Errors: UserError when that is too much."""
        if count > self._max_bytes:
            raise UserError(f"sends a picture of {count} bytes, and frames.max_bytes is {self._max_bytes}")
        while len(self._buffer) < count:
            self._more()
        return self._take(count)

    def until(self, boundary: bytes | None) -> bytes:
        """What comes before the next line with that boundary. Errors: UserError when that is too much."""
        pattern = re.compile(rb"\r?\n--" + (b"-*" + re.escape(boundary) if boundary else b""))
        seen = 0
        while (match := pattern.search(self._buffer, seen)) is None:
            if len(self._buffer) > self._max_bytes:
                raise UserError(f"sends a picture of more than frames.max_bytes={self._max_bytes}")
            seen = max(0, len(self._buffer) - _LINE)
            self._more()
        return self._take(match.start(), match[0].index(b"--"))

    def _take(self, count: int, behind: int = 0) -> bytes:
        """The first bytes, and away with so many more."""
        taken = bytes(self._buffer[:count])
        del self._buffer[: count + behind]
        return taken

    def _more(self) -> None:
        data = self._read(_CHUNK)
        if not data:
            raise ConnectionError("the server closed the connection")
        self._buffer += data
