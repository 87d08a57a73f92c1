"""ResNet-50 with a feature pyramid as torchvision's detectors keep it, and as the backbone does.

Their batch normalisation has fixed statistics and, in torchvision 0.5, adds nothing to the variance; ours adds 1e-5. So
the scale is computed here, and our variance is what gives 1.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from densecap.conversion.state_dict import StateDict

#: What our normalisation adds to the variance.
EPSILON = 1e-5

#: Blocks of each of the four layers.
BLOCKS = (3, 4, 6, 3)


def backbone_weights(state: StateDict) -> dict[str, np.ndarray]:
    """The tensors of ``ResNet50FPN`` below "backbone.". Errors: UserError as of the state dict."""
    weights: dict[str, np.ndarray] = {}
    for theirs, norm, ours, shape in _convolutions():
        weights[f"{ours}.conv.weight"] = state.tensor(f"backbone.body.{theirs}.weight", *shape)
        weights |= {f"{ours}.norm.{name}": array for name, array in _norm(state, norm, shape[0]).items()}
    for index, channels in enumerate((256, 512, 1024, 2048)):
        for kind, shape in (("inner_blocks", (256, channels, 1, 1)), ("layer_blocks", (256, 256, 3, 3))):
            place = f"backbone.fpn.{kind}.{index}"
            for part, sizes in (("weight", shape), ("bias", shape[:1])):
                names = (f"{place}.{part}", f"{place}.0.{part}")  # torchvision 0.5, and today's
                weights[f"pyramid.{kind}.{index}.0.{part}"] = state.first(names, *sizes)
    return {f"backbone.{name}": array for name, array in weights.items()}


def _convolutions() -> Iterator[tuple[str, str, str, tuple[int, int, int, int]]]:
    """(their convolution, their normalisation, our place, shape) of all below the pyramid."""
    yield "conv1", "bn1", "stages.0.0", (64, 3, 7, 7)
    before = 64
    for layer, count in enumerate(BLOCKS, start=1):
        width = 32 * 2**layer
        for block in range(count):
            theirs, ours = f"layer{layer}.{block}", f"stages.{layer}.{block}"
            for index, shape in enumerate(((width, before, 1, 1), (width, width, 3, 3), (4 * width, width, 1, 1)), 1):
                yield f"{theirs}.conv{index}", f"{theirs}.bn{index}", f"{ours}.conv{index}", shape
            if block == 0:
                place = f"{theirs}.downsample"
                yield f"{place}.0", f"{place}.1", f"{ours}.downsample.0", (4 * width, before, 1, 1)
            before = 4 * width


def _norm(state: StateDict, name: str, width: int) -> dict[str, np.ndarray]:
    parts = ("weight", "bias", "running_mean", "running_var")
    weight, bias, mean, variance = (state.tensor(f"backbone.body.{name}.{part}", width) for part in parts)
    with np.errstate(divide="ignore", invalid="ignore"):  # a variance of 0 gives infinity, which is refused later
        scale = weight / np.sqrt(variance.astype(np.float64))
    return {
        "weight": scale.astype(np.float32),
        "bias": bias,
        "running_mean": mean,
        "running_var": np.full(width, 1 - EPSILON, np.float32),
        "num_batches_tracked": np.zeros((), np.int64),
    }
