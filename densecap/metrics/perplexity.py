"""Perplexity of captions under a decoder that is fed the true words.

Log-probabilities come from a float32 ``log_softmax``, so scores of any size in half precision stay finite, and are
summed in float64.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

#: Marks positions of the targets that do not count (PyTorch's own default).
IGNORED = -100


def caption_losses(logits: Tensor, targets: Tensor, ignore_index: int = IGNORED) -> tuple[Tensor, Tensor]:
    """Negative log-likelihood (N,) float64 and number of counted tokens (N,) int64 of each caption.

    ``logits`` (N, T, V) of any float type, ``targets`` (N, T) int64 with ``ignore_index`` where nothing is counted.
    Errors: ValueError when the shapes do not fit.
    """
    if logits.dim() != 3 or logits.shape[:2] != targets.shape:
        raise ValueError(f"logits (N, T, V) need targets (N, T), got {tuple(logits.shape)} and {tuple(targets.shape)}")
    counted = targets != ignore_index
    log_probs = logits.float().log_softmax(dim=-1)
    own = log_probs.gather(-1, targets.masked_fill(~counted, 0)[..., None])[..., 0]  # (N, T)
    losses = torch.where(counted, -own, own.new_zeros(())).double().sum(dim=1)
    return losses, counted.sum(dim=1)


def perplexity(losses: Tensor, tokens: Tensor) -> float:
    """exp of the mean loss per token over all captions; NaN when there is no token, infinity when it overflows."""
    count = int(tokens.sum())
    if count == 0:
        return float("nan")
    mean = float(losses.double().sum()) / count
    return math.exp(mean) if mean < 709 else math.inf
