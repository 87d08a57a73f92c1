"""Modules that have shapes but no values: what they do can be looked at without doing it."""

from __future__ import annotations

import copy
from itertools import chain
from typing import TypeVar

import torch
from torch import nn

Module = TypeVar("Module", bound=nn.Module)


def without_storage(module: Module) -> Module:
    """A copy of the module whose tensors have shapes but no values; what is frozen stays frozen."""
    shapes: dict[int, torch.Tensor] = {}
    for tensor in chain(module.parameters(), module.buffers()):
        empty = torch.empty_like(tensor, device="meta", requires_grad=False)
        shapes[id(tensor)] = nn.Parameter(empty, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else empty
    return copy.deepcopy(module, shapes)
