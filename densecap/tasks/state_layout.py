"""The optimiser's state in memory as the weights are, whatever file it came from."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.optim import Optimizer


@torch.no_grad()
def lay_out_like_weights(optimizer: Optimizer) -> int:
    """Give every state of a weight's shape that weight's strides; gives how many were laid out anew.

    A checkpoint's tensors keep the strides they were saved with, and those differ where ``channels_last`` or the
    sharding does. Fused optimisers go through memory, not through indices: with other strides they would take another
    weight's state. Weights that are spread over processes are left as they are.
    """
    changed = 0
    for weight, states in optimizer.state.items():
        if hasattr(weight, "to_local"):
            continue
        for name, value in states.items():
            if isinstance(value, Tensor) and value.shape == weight.shape and value.stride() != weight.stride():
                states[name] = torch.empty_like(weight, dtype=value.dtype, device=value.device).copy_(value)
                changed += 1
    return changed
