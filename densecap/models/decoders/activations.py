"""Activation functions by name."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from densecap.errors import UserError


def scaled_tanh(values: Tensor) -> Tensor:
    """g2(z) = 1.7159 tanh(2 z / 3) of the m-RNN paper, which takes 1 to 1 and -1 to -1."""
    return 1.7159 * torch.tanh(values * (2 / 3))


def identity(values: Tensor) -> Tensor:
    return values


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "scaled_tanh": scaled_tanh,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "none": identity,
}


def activation_of(name: str, key: str) -> Callable[[Tensor], Tensor]:
    """The function of that name; ``key`` is the setting that names it. Errors: UserError for an unknown name."""
    if name not in ACTIVATIONS:
        raise UserError(f"model.decoder.{key}={name} is none of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]
