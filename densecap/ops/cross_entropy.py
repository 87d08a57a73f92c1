"""The cross-entropy of large vocabularies, in the memory of the scores."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def cross_entropy_in_place(scores: Tensor, targets: Tensor) -> Tensor:
    """(M, V) float32 scores and (M,) int64 targets -> (M,) losses -log softmax(scores)[target].

    The same as ``torch.nn.functional.cross_entropy(..., reduction="none")``, but the scores are used up: their memory
    holds the probabilities, and in the backward pass the gradient. torch's own function fills three more tensors of
    that size, which for a thousand words out of ten thousand takes longer than the arithmetic. A second backward pass
    is an error.
    """
    return _CrossEntropyInPlace.apply(scores, targets)


class _CrossEntropyInPlace(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, scores: Tensor, targets: Tensor) -> Tensor:
        if not len(scores):
            ctx.save_for_backward(scores, targets)
            return scores.new_zeros(0)
        shifted = scores.sub_(scores.amax(dim=1, keepdim=True))
        chosen = shifted.gather(1, targets[:, None])[:, 0].clone()
        total = shifted.exp_().sum(dim=1)
        ctx.save_for_backward(shifted.div_(total[:, None]), targets)
        return total.log() - chosen

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        probabilities, targets = ctx.saved_tensors
        gradient = probabilities.mul_(grad[:, None])
        rows = torch.arange(len(targets), device=targets.device)
        gradient[rows, targets] -= grad
        return gradient, None
