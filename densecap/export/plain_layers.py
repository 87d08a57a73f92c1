"""A model as a tracer follows it: what is folded at each call becomes ordinary layers once."""

from __future__ import annotations

import copy

import torch
from torch import nn

from densecap.models.backbones.folding import ConvNorm
from densecap.models.captioner import Captioner


def with_plain_layers(model: Captioner) -> Captioner:
    """A copy in evaluation mode on the CPU, without gradients, which computes the same."""
    made = copy.deepcopy(model).cpu().eval().requires_grad_(False)
    for parent in list(made.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, ConvNorm):
                setattr(parent, name, _convolution(layer))
    return made


@torch.no_grad()
def _convolution(layer: ConvNorm) -> nn.Conv2d:
    weight, bias = layer.fold()
    conv = copy.deepcopy(layer.conv)
    conv.weight, conv.bias = nn.Parameter(weight, requires_grad=False), nn.Parameter(bias, requires_grad=False)
    return conv
