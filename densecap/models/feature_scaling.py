"""Bringing a backbone's vectors to a size that decoders learn from.

Vectors of 4096 values behind a ReLU have lengths of a hundred, at which m-RNN's multimodal layer is saturated from the
first step on, and words cannot be learned for a long time.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from densecap.errors import UserError


class Unit(nn.Module):
    """Vectors (N, F) to length 1."""

    def forward(self, features: Tensor) -> Tensor:
        return nn.functional.normalize(features.float(), dim=1)


class Standard(nn.Module):
    """Every number of (N, F) to mean 0 and standard deviation 1 over all vectors seen in training.

    Each batch of training is added to the statistics before it is scaled by them, so training and use scale alike, and
    what comes later changes less and less. Numbers that hardly vary are not blown up: to each variance a hundredth of
    the mean one is added. Before anything was seen vectors stay as they are.
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
        if self.training and len(features):
            self._add(features.detach())
        deviation = (self.variance + 0.01 * self.variance.mean()).sqrt()
        return torch.where(self.count > 0, (features - self.mean) / deviation, features)

    @torch.no_grad()
    def _add(self, features: Tensor) -> None:
        """Chan's formula for the mean and variance of two groups together."""
        mean, number = features.mean(dim=0), len(features)
        total = self.count + number
        share = (number / total).float()  # of the new group
        shift = mean - self.mean
        variance = features.var(dim=0, unbiased=False)
        self.variance.lerp_(variance, share).add_(share * (1 - share) * shift.square())
        self.mean.add_(share * shift)
        self.count.copy_(total)


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
