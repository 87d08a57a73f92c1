"""Losses and how they are added up: the dense captioner's five (DenseCap section 3.5; released code's defaults) and
the cost of captions of whole images (m-RNN, arXiv 1412.6632, section 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class LossWeights:
    """Weights of the five losses; the released code's values. ``words`` is an aid that the original does not have."""

    objectness_proposal: float = 0.1
    box_proposal: float = 0.05
    objectness: float = 0.1
    box: float = 0.1
    caption: float = 1.0
    words: float = 0.0

    def total(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The weighted sum that is reported; ``box_decay`` is not part of it, only of what is optimised."""
        weights = {name: weight for name, weight in asdict(self).items() if weight or name in losses}
        return torch.stack([weight * losses[name] for name, weight in weights.items()]).sum()

    def objective(self, losses: Mapping[str, Tensor]) -> Tensor:
        """What is optimised: the total and the pull of raw proposal transforms to zero."""
        return self.total(losses) + losses["box_decay"]


@dataclass(frozen=True)
class ImageLossWeights:
    """Weights of the bits a word and of the squared parameters of the decoder (the paper's lambda)."""

    caption: float = 1.0
    l2: float = 0.0

    def total(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The weighted loss that is reported; the decay is only part of what is optimised."""
        return self.caption * losses["caption"]

    def objective(self, losses: Mapping[str, Tensor], decoder: nn.Module) -> Tensor:
        """What is optimised: the paper's cost."""
        return self.total(losses) + (self.l2 * squared_norm(decoder) if self.l2 else 0.0)


def squared_norm(module: nn.Module) -> Tensor:
    """The sum of the squares of all parameters."""
    return torch.stack([parameter.square().sum() for parameter in module.parameters()]).sum()


def mean(values: Tensor) -> Tensor:
    """The mean, or a differentiable 0 when there is nothing to average."""
    return values.sum() / max(values.numel(), 1)


def proposal_losses(terms: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Losses of the proposal network from the terms of each image.

    Objectness is the mean over positives plus the mean over negatives, so both weigh the same; the box loss is the
    mean over all 4 P numbers; ``box_decay`` the mean over images of half the decayed squared norm.
    """
    joined = {key: torch.cat([item[key] for item in terms]) for key in terms[0]}
    return {
        "objectness_proposal": mean(joined["positive"]) + mean(joined["negative"]),
        "box_proposal": mean(joined["box"]),
        "box_decay": mean(joined["decay"]),
    }


def objectness_loss(logits: Tensor, is_region: Tensor) -> Tensor:
    """Logistic loss of (N,) logits, averaged over all sampled regions (not balanced)."""
    return mean(F.binary_cross_entropy_with_logits(logits.float(), is_region.float(), reduction="none"))
