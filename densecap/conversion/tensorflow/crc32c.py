"""CRC-32C, the checksum in TensorFlow's files, of many bytes at once.

A checksum is linear: the bytes are seen as lanes of equal length, all of which advance together, a byte at a time, and
the sums of the lanes are joined in the end.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

#: The polynomial of Castagnoli, its bits reversed.
POLYNOMIAL = 0x82F63B78

#: Bytes of a lane, and lanes that are looked at together (16 MB).
LANE, LANES = 1024, 1 << 14


def _table() -> np.ndarray:
    """(256,) uint32: what a byte makes of an empty sum."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(POLYNOMIAL), table >> 1).astype(np.uint32)
    return table


TABLE = _table()


def masked_crc32c(data: memoryview, more: bytes = b"") -> int:
    """The checksum of ``data`` and ``more``, disguised as leveldb stores it."""
    value = crc32c(data, more)
    return (((value >> 15) | (value << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def crc32c(data: memoryview | bytes, more: bytes = b"") -> int:
    """The checksum of ``data`` and ``more``."""
    content = np.frombuffer(data, np.uint8)
    whole = len(content) // LANE * LANE
    value = 0xFFFFFFFF
    for lane in _sums(content[:whole]):
        value = _advanced(value) ^ lane
    table = TABLE.tolist()
    for byte in content[whole:].tobytes() + more:
        value = table[(value ^ byte) & 255] ^ (value >> 8)
    return value ^ 0xFFFFFFFF


def _sums(content: np.ndarray) -> Iterator[int]:
    """The sum of each lane, begun at 0."""
    for start in range(0, len(content), LANES * LANE):
        lanes = content[start : start + LANES * LANE].reshape(-1, LANE).T.copy()  # (LANE, N)
        sums = np.zeros(lanes.shape[1], np.uint32)
        for row in lanes:
            sums = TABLE[(sums ^ row) & 255] ^ (sums >> 8)
        yield from sums.tolist()


def _zeros_after() -> list[list[int]]:
    """4 x 256: what becomes of each value of each byte of a sum when LANE zeros follow."""
    sums = np.left_shift(np.arange(256, dtype=np.uint32), 8 * np.arange(4, dtype=np.uint32)[:, None]).astype(np.uint32)
    for _ in range(LANE):
        sums = TABLE[sums & 255] ^ (sums >> 8)
    return sums.tolist()


_AFTER = _zeros_after()


def _advanced(value: int) -> int:
    """A sum when LANE zeros follow."""
    first, second, third, fourth = _AFTER
    return first[value & 255] ^ second[value >> 8 & 255] ^ third[value >> 16 & 255] ^ fourth[value >> 24]
