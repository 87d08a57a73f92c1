"""What the header of a JPEG file says, read without decoding it (ITU T.81 annex B, EXIF 2.3 section 4.5)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

#: Start-of-frame markers; C4, C8 and CC in that range mean something else.
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_START_OF_SCAN = 0xDA
_APP1 = 0xE1
_ORIENTATION_TAG = 0x0112


@dataclass(frozen=True)
class JpegHeader:
    """``height`` and ``width`` as stored, before any rotation; ``orientation`` is EXIF's 1..8, 1 when unstated."""

    height: int
    width: int
    components: int
    precision: int
    orientation: int

    @property
    def is_plain(self) -> bool:
        """Eight-bit RGB or grey, to be shown as it is stored."""
        return self.precision == 8 and self.components in (1, 3) and self.orientation == 1


def read_jpeg_header(data: bytes) -> JpegHeader | None:
    """The header of the JPEG file ``data``, or None when it is not a JPEG or its header is damaged."""
    if data[:2] != b"\xff\xd8":
        return None
    try:
        return _walk_segments(data)
    except (IndexError, struct.error):
        return None


def _walk_segments(data: bytes) -> JpegHeader | None:
    position, orientation = 2, 1
    while True:
        if data[position] != 0xFF:
            return None
        marker = data[position + 1]
        if marker == 0xFF or marker in _STANDALONE:  # fill byte, or a marker without a length
            position += 1 if marker == 0xFF else 2
            continue
        (length,) = struct.unpack_from(">H", data, position + 2)
        if marker in _START_OF_FRAME:
            precision, height, width, components = struct.unpack_from(">BHHB", data, position + 4)
            return JpegHeader(height, width, components, precision, orientation) if height and width else None
        if marker == _START_OF_SCAN or length < 2:
            return None
        if marker == _APP1 and data[position + 4 : position + 10] == b"Exif\0\0":
            orientation = _exif_orientation(data[position + 10 : position + 2 + length])
        position += 2 + length


def _exif_orientation(tiff: bytes) -> int:
    """The orientation of a TIFF block; 1 when it is absent or damaged."""
    order: Literal["<", ">"] = "<" if tiff[:2] == b"II" else ">"
    try:
        (start,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", tiff, entry)
            if tag == _ORIENTATION_TAG:
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1
