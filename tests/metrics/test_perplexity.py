"""Perplexity against cross-entropy in float64, and scores that overflow other implementations."""

import math

import pytest
import torch
from torch.nn import functional as F

from densecap.metrics.perplexity import caption_losses, perplexity


def test_it_is_exp_of_the_mean_cross_entropy():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 5, 11, generator=generator)
    targets = torch.randint(11, (6, 5), generator=generator)
    targets[1, 2:], targets[4] = -100, -100
    losses, tokens = caption_losses(logits, targets)
    expected = F.cross_entropy(logits.double().flatten(0, 1), targets.flatten(), ignore_index=-100)
    assert perplexity(losses, tokens) == pytest.approx(float(expected.exp()), rel=1e-6)
    assert tokens.tolist() == [5, 2, 5, 5, 0, 5]
    assert losses[4] == 0


def test_even_chances_over_v_words_give_v():
    losses, tokens = caption_losses(torch.zeros(3, 4, 17), torch.zeros(3, 4, dtype=torch.long))
    assert perplexity(losses, tokens) == pytest.approx(17)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32])
def test_a_gap_of_120_stays_finite(kind):
    logits = torch.tensor([[[120.0, 0.0]]], dtype=kind)
    losses, tokens = caption_losses(logits, torch.tensor([[1]]))
    assert float(losses) == 120
    assert perplexity(losses, tokens) == pytest.approx(math.exp(120))
    assert perplexity(losses * 10, tokens) == math.inf


def test_impossible_words_at_ignored_positions_do_not_count():
    logits = torch.tensor([[[0.0, -math.inf], [0.0, 0.0]]])
    losses, tokens = caption_losses(logits, torch.tensor([[-100, 1]]))
    assert float(losses) == pytest.approx(math.log(2))
    assert int(tokens) == 1


def test_another_mark_and_nothing_at_all():
    losses, tokens = caption_losses(torch.zeros(1, 2, 4), torch.tensor([[3, 0]]), ignore_index=0)
    assert perplexity(losses, tokens) == pytest.approx(4)
    assert math.isnan(perplexity(*caption_losses(torch.zeros(0, 3, 4), torch.zeros(0, 3, dtype=torch.long))))
    with pytest.raises(ValueError, match=r"\(1, 2, 4\) and \(1, 3\)"):
        caption_losses(torch.zeros(1, 2, 4), torch.zeros(1, 3, dtype=torch.long))
