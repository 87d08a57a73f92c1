"""A writer of Caffe's protocol buffers: NetParameters with layers of today, of VGG-16's days, and of before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def block(field: int, content: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(content)) + content


def blob(array: np.ndarray, style: str) -> bytes:
    """A BlobProto; "new" with a shape, "old" with four sizes, "unpacked" with a key before each number."""
    array = np.asarray(array, np.float32)
    if style == "new":
        shape = block(7, block(1, b"".join(varint(size) for size in array.shape)))
        return shape + block(5, array.tobytes()) + block(6, b"")
    sizes = (1, 1, 1, 1, *array.shape)[-4:]
    head = b"".join(number(index, size) for index, size in enumerate(sizes, start=1))
    if style == "unpacked":
        return head + b"".join(varint(5 << 3 | 5) + value.tobytes() for value in array.reshape(-1))
    return head + block(5, array.tobytes())


def layer(name: str, blobs: Iterable[np.ndarray], style: str) -> bytes:
    """A field of a NetParameter. "v0" is the layer in a layer of Caffe's first files."""
    arrays = list(blobs)
    if style == "new":
        inner = block(1, name.encode()) + block(2, b"Convolution") + block(3, b"data")
        return block(100, inner + b"".join(block(7, blob(array, style)) for array in arrays))
    if style == "v0":
        inner = (
            block(1, name.encode()) + block(2, b"conv") + b"".join(block(50, blob(array, "old")) for array in arrays)
        )
        return block(2, block(1, inner) + block(3, name.encode()))
    inner = block(2, b"data") + block(3, name.encode()) + block(4, name.encode()) + number(5, 4)
    return block(2, inner + b"".join(block(6, blob(array, style)) for array in arrays) + block(1000, b"unknown"))


def save(path: Path, layers: Mapping[str, Iterable[np.ndarray]], style: str = "old") -> Path:
    """A file: name, input sizes, a layer without arrays, and the layers."""
    head = block(1, b"VGG_ILSVRC_16_layers") + block(3, b"data") + number(4, 10)
    with path.open("wb") as file:
        file.write(head + layer("relu", [], style))
        for name, arrays in layers.items():
            file.write(layer(name, arrays, style))
    return path
