"""Parameters of a backbone that a model never runs, which several processes would wait for in vain."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from densecap.models.backbones.precomputed import Precomputed
from densecap.models.captioner import Captioner
from densecap.models.views import sizes_of
from densecap.ops.without_storage import without_storage


def freeze_idle_parameters(model: Captioner) -> int:
    """Switch off the gradients of what the model's backbone has but the model does not run; gives their number.

    Whole images are seen without the pyramid, maps without the classifier behind them. DistributedDataParallel breaks
    off where a gradient that it was told of does not come.
    """
    idle = idle_parameters(model)
    for parameter in idle:
        parameter.requires_grad_(False)
    return len(idle)


def idle_parameters(model: Captioner) -> list[nn.Parameter]:
    """Those of the backbone that would learn but that no output of it depends on.

    Found by a run without values; a backbone that cannot do this is taken to run everything it has.
    """
    learning = {name: item for name, item in model.backbone.named_parameters() if item.requires_grad}
    if not learning or isinstance(model.backbone, Precomputed):
        return []
    try:
        reached = _reached(model)
    except (RuntimeError, NotImplementedError):
        return []
    return [item for name, item in learning.items() if name not in reached]


def _reached(model: Captioner) -> set[str]:
    """Names of the backbone's parameters that get a gradient, found on tensors without storage."""
    network = without_storage(model.backbone)
    side = sizes_of(model.backbone.input_size)[0]
    square = torch.empty(1, 3, side, side, dtype=torch.uint8, device="meta")
    with torch.enable_grad():
        outputs: tuple[Tensor, ...] = network(square) if model.finds_boxes else (network.image_features(square),)
        torch.stack([output.sum() for output in outputs]).sum().backward()
    return {name for name, item in network.named_parameters() if item.grad is not None}
