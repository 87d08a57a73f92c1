"""A copy of the model for each device that describes."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch

from densecap.models.captioner import Captioner


def copies(model: Captioner, devices: Sequence[torch.device]) -> list[Captioner]:
    """The model on each of the devices. Workers on the same device share one copy: describing changes nothing in it."""
    made: dict[torch.device, Captioner] = {}
    for device in devices:
        if device not in made:
            made[device] = (model if not made else copy.deepcopy(model)).to(device)
    return [made[device] for device in devices]
