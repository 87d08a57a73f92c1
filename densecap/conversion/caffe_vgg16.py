"""VGG-16 as its authors published it, ``VGG_ILSVRC_16_layers.caffemodel``: the backbone that DenseCap started from.

The result is a file of weights under torchvision's names, for ``model.backbone.weights``. conv1_1 reads BGR in 0..255
minus the mean pixel, so ``model.backbone.normalization=caffe_bgr`` (or ``model.compat=densecap2016``) belongs to it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from densecap.conversion.beside import NOTHING, Beside
from densecap.conversion.caffe.network import Blob, Layer
from densecap.conversion.converted import Converted, check_finite, source_of, tensor_of
from densecap.conversion.vgg16_layers import CONVOLUTIONS, FULLY_CONNECTED
from densecap.errors import UserError

FORMAT = "caffe_vgg16"

#: Layers that may be missing; fc8 tells ImageNet's classes apart.
OPTIONAL = ("fc6", "fc7", "fc8")


def matches(layers: list[Layer]) -> bool:
    return CONVOLUTIONS.keys() <= {layer.name for layer in layers}


def convert(layers: list[Layer], path: Path, beside: Beside = NOTHING) -> Converted:
    """Errors: UserError when a layer is missing or of another size than VGG-16's."""
    blobs = {layer.name: layer.blobs for layer in layers}
    missing = [name for name in CONVOLUTIONS if name not in blobs]
    if missing:
        raise UserError(
            f"{path} is not VGG-16: it lacks {', '.join(missing[:4])}; its layers with weights are "
            f"{', '.join(list(blobs)[:20]) or 'none'}"
        )
    state: dict[str, np.ndarray] = {}
    for name, (place, out, channels) in CONVOLUTIONS.items():
        state |= _named(f"features.{place}", _layer(blobs[name], (out, channels, 3, 3), f"{name} of {path}"))
    for name, (place, out, width) in FULLY_CONNECTED.items():
        if name in blobs:
            state |= _named(f"classifier.{place}", _layer(blobs[name], (out, width), f"{name} of {path}"))
    check_finite(state, path)
    content = {
        "state_dict": {name: tensor_of(array) for name, array in state.items()},
        "source": source_of(path, FORMAT),
    }
    found = f"VGG-16, {len(state) // 2} layers, {sum(map(np.size, state.values())):,} parameters"
    use = "python train.py model=densecap_vgg16_2016 model.backbone.weights=PATH"
    return Converted(content, ".pth", found, use)


def _named(place: str, arrays: tuple[np.ndarray, np.ndarray]) -> dict[str, np.ndarray]:
    return {f"{place}.weight": arrays[0], f"{place}.bias": arrays[1]}


def _layer(blobs: list[Blob], shape: tuple[int, ...], where: str) -> tuple[np.ndarray, np.ndarray]:
    """Weight and bias; sizes of 1, of which Caffe once wrote four always, do not count."""
    if len(blobs) < 2:
        raise UserError(f"{where} should have a weight and a bias, but it has {len(blobs)} arrays")
    weight, bias = blobs[:2]
    for blob, wanted in ((weight, shape), (bias, shape[:1])):
        significant = tuple(size for size in blob.shape if size != 1)
        if significant != tuple(size for size in wanted if size != 1) or blob.size != np.prod(wanted):
            raise UserError(f"{where} should be {wanted}, but it is {blob.shape} with {blob.size:,} numbers")
    return weight.array().astype(np.float32, copy=False).reshape(shape), bias.array().astype(np.float32, copy=False)
