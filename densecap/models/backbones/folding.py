"""Batch normalisation with fixed statistics, folded into the convolution before it.

Backbones never update batch statistics, so ``norm(conv(x))`` is one convolution with other weights. That saves a pass
over every feature map (about a fifth of the time of a ResNet-50) and, in training, the memory of its input.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ConvNorm(nn.Module):
    """``norm(conv(x))`` with the running statistics of ``norm``; both keep their own trainable parameters."""

    def __init__(self, conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        self.conv = conv
        self.norm = norm
        self._cached: tuple[tuple[object, ...], Tensor, Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self._folded(x.device.type)
        conv = self.conv
        return F.conv2d(x, weight, bias, conv.stride, conv.padding, conv.dilation, conv.groups)

    def fold(self) -> tuple[Tensor, Tensor]:
        """Weight (out, in, k, k) and bias (out,) of the one convolution."""
        norm = self.norm
        assert norm.running_mean is not None and norm.running_var is not None
        scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        bias = norm.bias - norm.running_mean * scale
        if self.conv.bias is not None:
            bias = bias + self.conv.bias * scale
        return self.conv.weight * scale[:, None, None, None], bias

    def _folded(self, device_type: str) -> tuple[Tensor, Tensor]:
        """``fold()``, remembered while nothing it depends on changes; never remembered when gradients are wanted."""
        sources = [*self.parameters(), *self.norm.buffers()]
        differentiable = torch.is_grad_enabled() and any(source.requires_grad for source in sources)
        if (
            differentiable
            or torch.compiler.is_compiling()
            or any(source.is_inference() or source.is_meta for source in sources)
        ):
            return self.fold()
        autocast = torch.is_autocast_enabled(device_type)
        dtype = torch.get_autocast_dtype(device_type) if autocast else self.conv.weight.dtype
        key = (dtype, *((source.data_ptr(), source._version) for source in sources))
        if self._cached is None or self._cached[0] != key:
            with torch.inference_mode(False), torch.no_grad():
                weight, bias = self.fold()
                self._cached = (key, weight.to(dtype), bias.to(dtype))
        return self._cached[1], self._cached[2]

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_cached": None}


def fold_batch_norms(module: nn.Module) -> nn.Module:
    """Replace, in place, every convolution directly followed by its BatchNorm2d among the children of one module.

    The normalisation's place is taken by an Identity, so a forward that names both still runs. Meant for networks
    whose children are listed in the order of use, such as torchvision's.
    """
    for parent in list(module.modules()):
        if isinstance(parent, ConvNorm):
            continue
        children = list(parent.named_children())
        for (name, layer), (next_name, norm) in zip(children, children[1:]):
            if isinstance(layer, nn.Conv2d) and type(norm) is nn.BatchNorm2d:
                setattr(parent, name, ConvNorm(layer, norm))
                setattr(parent, next_name, nn.Identity())
    return module
