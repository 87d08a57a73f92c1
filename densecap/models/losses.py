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


def mean_per_image(values: Tensor, counts: Sequence[int]) -> Tensor:
    """Mean over B images of the mean of each one's rows; ``values`` (N, ...) are the rows of all, ``counts`` (B,).

    Every image weighs the same, however many regions it has, and one without any counts as 0: so the mean over several
    processes with as many images each is that of their images together.
    """
    row = values.numel() // max(values.shape[0], 1)
    shares = [1.0 / (max(count * row, 1) * max(len(counts), 1)) for count in counts]
    weights = torch.repeat_interleave(torch.tensor(shares), torch.tensor(counts, dtype=torch.int64))  # (N,)
    return (values.flatten(1).sum(dim=1) if values.dim() > 1 else values).mul(weights.to(values)).sum()


def proposal_losses(terms: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Losses of the proposal network from the terms of each image.

    Each is the mean over images. Objectness is the mean over positives plus the mean over negatives, so both weigh the
    same; the box loss is the mean over all 4 P numbers; ``box_decay`` half the decayed squared norm.
    """
    means = {key: torch.stack([mean(item[key]) for item in terms]).mean() for key in terms[0]}
    return {
        "objectness_proposal": means["positive"] + means["negative"],
        "box_proposal": means["box"],
        "box_decay": means["decay"],
    }


def objectness_loss(logits: Tensor, is_region: Tensor, counts: Sequence[int]) -> Tensor:
    """Logistic loss of (N,) logits, averaged over the regions of each image (not balanced), then over images."""
    losses = F.binary_cross_entropy_with_logits(logits.float(), is_region.float(), reduction="none")
    return mean_per_image(losses, counts)
