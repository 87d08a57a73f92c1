"""Bringing a backbone's vectors to a size that decoders learn from.

Vectors of 4096 values behind a ReLU have lengths of a hundred, at which m-RNN's multimodal layer is saturated from the
first step on, and words cannot be learned for a long time.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from densecap.distributed import sum_over_processes
from densecap.errors import UserError

#: A mean variance below this share of the squared mean is that of equal numbers, which were rounded.
ROUNDING = 1e-10


class Unit(nn.Module):
    """Vectors (N, F) to length 1."""

    def forward(self, features: Tensor) -> Tensor:
        return nn.functional.normalize(features.float(), dim=1)


class Standard(nn.Module):
    """Every number of (N, F) to mean 0 and standard deviation 1 over all vectors seen in training.

    Each batch of training, that of all processes together, is added to the statistics before it is scaled by them, so
    training and use scale alike, and what comes later changes less and less. Numbers that hardly vary are not blown up:
    to each variance a hundredth of the mean one is added. Before two different vectors were seen they stay as they are.
    """

    mean: Tensor
    variance: Tensor
    count: Tensor

    def __init__(self, feature_dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(feature_dim))
        self.register_buffer("variance", torch.ones(feature_dim))
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))

    def forward(self, features: Tensor) -> Tensor:
        features = features.float()
        if self.training:
            self._add(*_moments(features.detach()))
        known = (self.count > 0) & (self.variance.mean() > ROUNDING * self.mean.square().mean())
        variance = torch.where(known, self.variance + 0.01 * self.variance.mean(), 1.0)
        return torch.where(known, (features - self.mean) / variance.sqrt(), features)

    @torch.no_grad()
    def _add(self, number: Tensor, mean: Tensor, spread: Tensor) -> None:
        """Chan's formula for the mean and variance of two groups together; a group of 0 changes nothing."""
        total = self.count + number
        share = (number / total.clamp(min=1)).float()  # of the new group
        shift = mean - self.mean
        self.variance.lerp_(spread, share).add_(share * (1 - share) * shift.square())
        self.mean.add_(share * shift)
        self.count.copy_(total)


def _moments(features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """How many vectors (N, F) all processes have, their mean (F,) and their variance (F,); all ask at the same time."""
    number = sum_over_processes(features.new_tensor(float(len(features))))
    mean = sum_over_processes(features.sum(dim=0)) / number.clamp(min=1)
    return number, mean, sum_over_processes((features - mean).square().sum(dim=0)) / number.clamp(min=1)


def scaling_of(name: str, feature_dim: int) -> nn.Module:
    """The layer that "none", "unit" or "standard" names; errors: UserError for another name."""
    known: dict[str, Callable[[], nn.Module]] = {
        "none": nn.Identity,
        "unit": Unit,
        "standard": lambda: Standard(feature_dim),
    }
    if name not in known:
        raise UserError(f"model.feature_scaling={name} is not known: it must be {', '.join(known)}")
    return known[name]()
