"""Files of other software as ``info`` describes them: the model they hold, or what there is when it is none we know."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from densecap.conversion import densecap_pytorch, mrnn_features, mrnn_tf
from densecap.conversion.beside import NOTHING
from densecap.conversion.caffe import network
from densecap.conversion.description import Description, describe_checkpoint, describe_weights
from densecap.conversion.pickles import reader as pickles
from densecap.conversion.pickles.values import Array
from densecap.conversion.table import recognised
from densecap.conversion.tensorflow import checkpoint
from densecap.conversion.tensorflow.variables import FLOAT
from densecap.conversion.torch7 import reader
from densecap.conversion.torch7.tensors import Tensor7
from densecap.conversion.torch7.values import Torch7File, fields_of, reachable
from densecap.errors import UserError

#: Classes and layers that are listed at most.
MOST = 20

#: Keys of an entry that are listed at most.
SOME_KEYS = 12


def describe_torch7(path: Path) -> Description:
    """A ``.t7`` file; errors: UserError when it is broken."""
    file = reader.read(path)
    objects = {"long": f"{file.long_size} bytes", **_objects(file)}
    found = recognised(path)
    if found is None:
        return Description("a Torch7 file of no model that is known here", {"objects": objects})
    return _described(found.convert(file, path, NOTHING).content, found.summary, {"objects": objects})


def _objects(file: Torch7File) -> dict[str, Any]:
    tensors = [value for value in reachable(file.root) if isinstance(value, Tensor7)]
    classes = Counter(file.classes).most_common(MOST)
    names = [str(key) for key in fields_of(file.root) if isinstance(key, str)]
    return {
        "at the top": ", ".join(names[:MOST]) or type(file.root).__name__,
        "tensors": len(tensors),
        "numbers in them": sum(tensor.size for tensor in tensors),
        "classes": ", ".join(f"{name} {count}" for name, count in classes),
    }


def describe_caffe(path: Path) -> Description:
    """A ``.caffemodel`` file; errors: UserError when it is broken."""
    layers = network.read(path)
    shapes = {
        layer.name: " and ".join(" x ".join(map(str, blob.shape)) for blob in layer.blobs) for layer in layers[:MOST]
    }
    if len(layers) > MOST:
        shapes["..."] = f"{len(layers) - MOST} more"
    found = recognised(path)
    if found is None:
        total = {"all parameters": sum(blob.size for layer in layers for blob in layer.blobs)}
        return Description("weights of Caffe, of no network that is known here", {"parts": total, "layers": shapes})
    return _described(found.convert(layers, path, NOTHING).content, found.summary, {"layers": shapes})


def _described(content: dict[str, Any], summary: str, sections: dict[str, dict[str, Any]]) -> Description:
    own = "densecap" in content
    made = describe_checkpoint(content) if own else describe_weights(content["state_dict"], content["source"])
    return Description(f"{summary}, to be used after convert", made.sections | sections)


def describe_tensorflow(path: Path) -> Description:
    """A checkpoint of TensorFlow's; errors: UserError when it is broken."""
    file = checkpoint.read(path)
    variables = list(file.variables.values())
    shapes = {item.name: f"{' x '.join(map(str, item.shape)) or 'one'}, {item.type_name}" for item in variables[:MOST]}
    if len(variables) > MOST:
        shapes["..."] = f"{len(variables) - MOST} more"
    total = {"all parameters": sum(item.size for item in variables if item.type == FLOAT)}
    known = mrnn_tf.matches(file)
    kind = f"a checkpoint of TensorFlow's, version {file.version}, of no model that is known here"
    if known:
        kind = f"TF-mRNN (TensorFlow's version {file.version}), to be used after convert with vocabulary=PATH"
    return Description(kind, {"parts": total, "variables": shapes})


def describe_pickle(path: Path) -> Description:
    """A pickle of plain values: vectors or annotations of m-RNN, or what else; errors: UserError when it is refused."""
    value = pickles.read(path)
    if mrnn_features.matches(value):
        sizes = Counter(item.size if isinstance(item, Array) else 0 for item in value.values())
        numbers = ", ".join(str(size) for size, _ in sizes.most_common(3))
        vectors = {"images": len(value), "numbers of each": numbers}
        return Description(
            "vectors of images by number, m-RNN's, to be used after convert with annotations.train=FILE",
            {"parts": vectors},
        )
    items = value.data if isinstance(value, Array) else value
    rows: dict[str, Any] = {"it holds": type(items).__name__}
    if isinstance(items, list | dict):
        first = items[0] if isinstance(items, list) and items else items
        rows |= {"entries": len(items)}
        if isinstance(first, dict):
            rows["keys"] = ", ".join(map(str, list(first)[:SOME_KEYS]))
    return Description("a pickle of plain values, of no model that is known here", {"parts": rows})


def describe_densecap_pytorch(path: Path) -> Description:
    """A ``.pth.tar``; errors: UserError when it is broken or would have to run code."""
    content = densecap_pytorch.opened(path)
    if not densecap_pytorch.matches(content):
        raise UserError(f"{path} holds no model of densecap-pytorch, which files ending in .pth.tar are expected to be")
    made = describe_weights(content["model"])
    figures = {"figures": densecap_pytorch.figures_of(content)}
    kind = "soloist97's densecap-pytorch, to be used after convert with vocabulary=PATH"
    return Description(kind, made.sections | {name: rows for name, rows in figures.items() if rows})
