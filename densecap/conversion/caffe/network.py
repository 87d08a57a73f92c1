"""The layers of a ``.caffemodel`` and their blobs (caffe.proto of BVLC/caffe, also as older versions wrote it)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from densecap.conversion.mapped_file import mapped
from densecap.conversion.wire import FOUR_BYTES, Field, Message

#: NetParameter: layers of today, and V1LayerParameters, which VGG-16 was published with.
LAYER, V1_LAYER = 100, 2
#: (name, blobs) of a LayerParameter, of a V1LayerParameter, and of the V0LayerParameter in field 1 of the latter.
FIELDS = {LAYER: (1, 7), V1_LAYER: (4, 6)}
V0_LAYER, V0_FIELDS = 1, (1, 50)
#: BlobProto: four sizes of old, numbers, numbers of double precision, and the shape, whose sizes are its field 1.
OLD_SIZES, DATA, DOUBLE_DATA, SHAPE = (1, 2, 3, 4), 5, 8, 7


@dataclass
class Blob:
    """An array of a layer: its shape as written, and its numbers in pieces that are views of the file."""

    shape: tuple[int, ...]
    pieces: list[np.ndarray]

    @property
    def size(self) -> int:
        return sum(len(piece) for piece in self.pieces)

    def array(self) -> np.ndarray:
        """The numbers in a row, a view of the file where they lie together."""
        return self.pieces[0] if len(self.pieces) == 1 else np.concatenate([np.empty(0, np.float32), *self.pieces])


@dataclass
class Layer:
    name: str = ""
    blobs: list[Blob] = field(default_factory=list)


def suits(path: Path) -> bool:
    """Whether a file may be one of Caffe's, which only its name tells."""
    return path.suffix.lower() == ".caffemodel"


def read(path: str | Path) -> list[Layer]:
    """The layers of a file that have blobs. Errors: UserError when it is missing, incomplete or something else."""
    path = Path(path)
    buffer = mapped(path)
    network = Message(path, buffer, 0, len(buffer))
    layers = [_layer(network.inner(item), FIELDS[item.number]) for item in network.fields() if item.number in FIELDS]
    return [layer for layer in layers if layer.blobs]


def _layer(message: Message, fields: tuple[int, int]) -> Layer:
    name, blobs = fields
    layer = Layer()
    for item in message.fields():
        if fields == FIELDS[V1_LAYER] and item.number == V0_LAYER:
            old = _layer(message.inner(item), V0_FIELDS)
            layer = Layer(layer.name or old.name, layer.blobs + old.blobs)
        elif item.number == name:
            layer.name = message.text(item)
        elif item.number == blobs:
            layer.blobs.append(_blob(message.inner(item)))
    return layer


def _blob(message: Message) -> Blob:
    old: dict[int, int] = {}
    shape: list[int] = []
    pieces: list[np.ndarray] = []
    for item in message.fields():
        if item.number in OLD_SIZES:
            old[item.number] = item.value
        elif item.number == SHAPE:
            inner = message.inner(item)
            shape += [size for sizes in inner.fields() if sizes.number == 1 for size in inner.varints(sizes)]
        elif item.number == DATA:
            pieces.append(message.floats(item))
        elif item.number == DOUBLE_DATA and item.kind != FOUR_BYTES:
            pieces.append(_doubles(message, item))
    return Blob(tuple(shape) if shape else tuple(old.get(number, 0) for number in OLD_SIZES), pieces)


def _doubles(message: Message, item: Field) -> np.ndarray:
    return np.frombuffer(message.buffer, "<f8", (item.stop - item.start) // 8, item.start)
