"""A writer of TensorFlow's checkpoints: the tables of leveldb with the messages of both versions in them."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from tests.fakes.caffe import block, number, varint

MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)
FLOAT, INT64 = 1, 9


def crc32c(content: bytes) -> int:
    """Bit by bit, as it is defined."""
    value = 0xFFFFFFFF
    for byte in content:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def masked(content: bytes) -> bytes:
    value = crc32c(content)
    return struct.pack("<I", (((value >> 15) | (value << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


def snappy(content: bytes) -> bytes:
    """Runs of a byte as copies that reach into themselves, all else as literals."""
    out, place = bytearray(varint(len(content))), 0
    while place < len(content):
        run = 1
        while run < 65 and content[place : place + run + 1] == content[place : place + 1] * (run + 1):
            run += 1
        size = 1 if run > 4 else min(70, len(content) - place)
        out += bytes([(size - 1) << 2]) if size <= 60 else bytes([60 << 2, size - 1])
        out += content[place : place + size]
        place += size
        if run > 4:
            out += bytes([(run - 2) << 2 | 2]) + struct.pack("<H", 1)
            place += run - 1
    return bytes(out)


def entries(items: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A block in which every other key is whole."""
    out, restarts, before = bytearray(), [], b""
    for index, (key, value) in enumerate(items):
        shared = 0
        if index % 2 == 0:
            restarts.append(len(out))
        else:
            while shared < min(len(key), len(before)) and key[shared] == before[shared]:
                shared += 1
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        before = key
    return (
        bytes(out)
        + b"".join(struct.pack("<I", place) for place in restarts or [0])
        + struct.pack("<I", max(1, len(restarts)))
    )


def table(items: Mapping[bytes, bytes], packed: bool = False, per_block: int = 3) -> bytes:
    """A table of blocks of so many keys."""
    out, index = bytearray(), []
    ordered = sorted(items.items())

    def write(content: bytes) -> bytes:
        handle = varint(len(out))
        stored = snappy(content) if packed else content
        kind = bytes([packed])
        out.extend(stored + kind + masked(stored + kind))
        return handle + varint(len(stored))

    for start in range(0, len(ordered), per_block):
        part = ordered[start : start + per_block]
        index.append((part[-1][0], write(entries(part))))
    footer = write(entries([])) + write(entries(index))
    return bytes(out) + footer.ljust(40, b"\0") + MAGIC


def shape(sizes: Iterable[int]) -> bytes:
    return b"".join(block(2, number(1, size)) for size in sizes)


def save_v1(path: Path, variables: Mapping[str, np.ndarray], packed: bool = False, pieces: int = 1) -> Path:
    """One file; ``pieces`` cuts every matrix into so many along its first axis."""
    described, items = b"", {}
    for name, array in variables.items():
        kind = FLOAT if array.dtype == np.float32 else INT64
        described += block(1, block(1, name.encode()) + block(2, shape(array.shape)) + number(3, kind))
        cuts = [(0, array)] if array.ndim < 2 or pieces == 1 else _cut(array, pieces)
        for first, part in cuts:
            extent = block(1, number(1, first) + number(2, len(part))) if len(cuts) > 1 else block(1, b"")
            extent += block(1, b"") * (array.ndim - 1) if array.ndim else b""
            values = (
                block(5, part.tobytes())
                if kind == FLOAT
                else block(10, b"".join(map(varint, part.reshape(-1).tolist())))
            )
            data = block(1, name.encode()) + block(2, extent) + block(3, number(1, kind) + values)
            items[b"\0" + name.encode() + bytes([first])] = block(2, data)
    items[b""] = block(1, described + block(2, number(1, 0)))
    path.write_bytes(table(items, packed))
    return path


def _cut(array: np.ndarray, pieces: int) -> list[tuple[int, np.ndarray]]:
    found, first = [], 0
    for part in np.array_split(array, pieces):
        found.append((first, part))
        first += len(part)
    return found


def save_v2(path: Path, variables: Mapping[str, np.ndarray]) -> Path:
    """PREFIX.index and PREFIX.data-00000-of-00001; returns the prefix."""
    items, data = {b"": number(1, 1) + block(3, number(1, 1))}, b""
    for name, array in sorted(variables.items()):
        content = array.tobytes()
        kind = FLOAT if array.dtype == np.float32 else INT64
        entry = number(1, kind) + block(2, shape(array.shape)) + number(4, len(data)) + number(5, len(content))
        items[name.encode()] = entry + varint(6 << 3 | 5) + masked(content)
        data += content
    path.with_name(f"{path.name}.index").write_bytes(table(items))
    path.with_name(f"{path.name}.data-00000-of-00001").write_bytes(data)
    return path
