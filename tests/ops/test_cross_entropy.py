from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from densecap.ops.cross_entropy import cross_entropy_in_place


def test_losses_and_gradients_are_those_of_torch() -> None:
    hidden = torch.randn(7, 5, dtype=torch.float64, requires_grad=True)
    weight = (100 * torch.randn(11, 5, dtype=torch.float64)).requires_grad_()
    targets, share = torch.randint(11, (7,)), torch.rand(7, dtype=torch.float64)
    results = []
    for function in (cross_entropy_in_place, lambda scores, wanted: F.cross_entropy(scores, wanted, reduction="none")):
        losses = function(F.linear(hidden, weight), targets)
        results.append((losses, *torch.autograd.grad((losses * share).sum(), (hidden, weight))))
    for own, reference in zip(*results):
        torch.testing.assert_close(own, reference)


def test_no_words_at_all() -> None:
    scores = torch.zeros(0, 4, requires_grad=True)
    losses = cross_entropy_in_place(scores * 1, torch.zeros(0, dtype=torch.int64))
    losses.sum().backward()
    assert losses.shape == (0,) and scores.grad is not None and scores.grad.shape == (0, 4)


def test_the_scores_are_used_up() -> None:
    """Whoever needed them afterwards would be told by autograd, instead of getting wrong gradients."""
    weight = torch.randn(3, 4, requires_grad=True)
    scores = weight.tanh()  # its gradient needs its result
    losses = cross_entropy_in_place(scores, torch.tensor([0, 1, 2]))
    with pytest.raises(RuntimeError, match="inplace operation"):
        losses.sum().backward()
