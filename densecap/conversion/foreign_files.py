"""Files of other software as ``info`` describes them: the model they hold, or what there is when it is none we know."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from densecap.conversion.caffe import network
from densecap.conversion.description import Description, describe_checkpoint, describe_weights
from densecap.conversion.table import recognised
from densecap.conversion.torch7 import reader
from densecap.conversion.torch7.tensors import Tensor7
from densecap.conversion.torch7.values import Torch7File, fields_of, reachable

#: Classes and layers that are listed at most.
MOST = 20


def describe_torch7(path: Path) -> Description:
    """A ``.t7`` file; errors: UserError when it is broken."""
    file = reader.read(path)
    objects = {"long": f"{file.long_size} bytes", **_objects(file)}
    found = recognised(path)
    if found is None:
        return Description("a Torch7 file of no model that is known here", {"objects": objects})
    return _described(found.convert(file, path).content, found.summary, {"objects": objects})


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
    return _described(found.convert(layers, path).content, found.summary, {"layers": shapes})


def _described(content: dict[str, Any], summary: str, sections: dict[str, dict[str, Any]]) -> Description:
    own = "densecap" in content
    made = describe_checkpoint(content) if own else describe_weights(content["state_dict"], content["source"])
    return Description(f"{summary}, to be used after convert", made.sections | sections)
