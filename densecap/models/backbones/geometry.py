"""Where the cells of a feature map look: stride and first centre, computed from the layers themselves."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from densecap.ops.anchors import Level

#: Layers that move or thin out the grid of cells.
WINDOW_LAYERS = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)


def receptive_field_level(layers: Iterable[nn.Module]) -> Level:
    """Stride and centre of cell (0, 0) after ``layers``, given in the order in which the image passes them.

    Centres are in continuous pixels, so the first pixel of the image is centred at 0.5. A layer with kernel k, stride
    s, padding p and dilation d adds ``(d (k - 1) / 2 - p) * jump`` to the centre and multiplies the jump by s.
    """
    centre, jump = 0.5, 1
    for layer in layers:
        kernel, stride, padding = (_side(layer, name) for name in ("kernel_size", "stride", "padding"))
        dilation = _side(layer, "dilation") if hasattr(layer, "dilation") else 1
        centre += (dilation * (kernel - 1) / 2 - padding) * jump
        jump *= stride
    return Level(jump, centre)


def window_layers(*modules: nn.Module) -> list[nn.Module]:
    """Convolutions and poolings of ``modules`` in order, along the main path of residual blocks (no shortcuts)."""
    found: list[nn.Module] = []
    for module in modules:
        for name, layer in module.named_modules():
            if isinstance(layer, WINDOW_LAYERS) and "downsample" not in name.split("."):
                found.append(layer)
    return found


def traced_level(network: nn.Module, stride: int, size: int = 256) -> Level:
    """Level of stride ``stride`` of a network whose code is not ours, found by running it once on a blank image.

    The layer that first makes the step from one grid to the next decides the centre; a step that no convolution or
    pooling makes (merging of patches) counts as the mean of the merged cells.
    """
    steps: dict[int, tuple[int, float]] = {}  # jump before the step -> (stride, shift in cells)

    def record(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        before, after = inputs[0].shape, output.shape
        if len(before) == 4 and after[-1] < before[-1] and before[-1] > 1:
            jump = round(size / before[-1])
            steps.setdefault(jump, (round(before[-1] / after[-1]), _shift(layer, before[-1], after[-1])))

    hooks = [m.register_forward_hook(record) for m in network.modules() if isinstance(m, WINDOW_LAYERS)]
    try:
        with torch.no_grad():
            network(torch.zeros(1, 3, size, size))
    finally:
        for hook in hooks:
            hook.remove()
    centre, jump = 0.5, 1
    while jump < stride:
        factor, shift = steps.get(jump, (2, 0.5))
        centre += shift * jump
        jump *= factor
    return Level(stride, centre)


def _shift(layer: nn.Module, before: int, after: int) -> float:
    """Cells by which the first window's centre lies beyond the first cell's, "same" padding by the layer included."""
    kernel, stride = _side(layer, "kernel_size"), _side(layer, "stride")
    padding = _side(layer, "padding")
    if padding == 0 and after * stride >= before and kernel > stride:
        padding = max((after - 1) * stride + kernel - before, 0) // 2
    return (kernel - 1) / 2 - padding


def _side(layer: nn.Module, name: str) -> int:
    value = getattr(layer, name)
    if isinstance(value, str):  # padding="same" or "valid"
        return _side(layer, "kernel_size") // 2 if value == "same" else 0
    return int(value[0] if isinstance(value, tuple) else value)
