"""Diverse beam search: groups of beams, each kept from saying what the groups before it say at the same step."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from densecap.models.beams import Beams, join_beams, search_words


def search_groups(
    scores: Tensor,
    log_normalizer: Tensor,
    beams: Beams,
    beam_size: int,
    length_penalty: float,
    num_groups: int,
    diversity_strength: float,
) -> tuple[Tensor, Beams]:
    """``search_words`` for one group of ``beam_size / num_groups`` beams after the other, next to each other in W.

    Vijayakumar et al., arXiv 1610.02424, with Hamming diversity: a word that earlier groups say c times at this step
    compares as if its log-probability were lower by c times ``diversity_strength``. Log-probabilities themselves stay
    those of the model, so that a choice made once is not held against a hypothesis later.
    """
    group_size = beam_size // num_groups
    first = beams.steps == 0  # all groups begin with the one empty hypothesis
    width = beams.width if first else beams.width // num_groups
    said = scores.new_zeros(scores.shape[0], scores.shape[2])  # (M, V + 1): how often, at this step
    parents, parts = [], []
    for group in range(num_groups):
        start = 0 if first else group * width
        own = slice(start, start + width)
        discouraged = said * diversity_strength if group else None
        chosen, part = search_words(
            scores[:, own], log_normalizer[:, own], beams.columns(own), group_size, length_penalty, discouraged
        )
        ended_before = beams.finished[:, own].gather(1, chosen)
        counts = (~ended_before & (part.log_probs > -math.inf)).to(said.dtype)  # (M, W')
        said = said.scatter_add(1, part.tokens[:, :, -1], counts)
        parents.append(chosen + start)
        parts.append(part)
    return torch.cat(parents, dim=1), join_beams(parts)


def rank_groups(beams: Beams, kept: int, length_penalty: float, num_groups: int) -> Beams:
    """The ``kept`` hypotheses of every region to be given out, best first.

    The best of all groups go before the second of any; a caption that another group has said, too, and what is
    impossible are the last choice.
    """
    place = torch.arange(beams.width, device=beams.tokens.device) % (beams.width // num_groups)  # within the group
    order = beams.keys(length_penalty).argsort(dim=1, descending=True, stable=True)
    order = order.gather(1, place[order].argsort(dim=1, stable=True))
    beams = beams.gather(order)
    beams = beams.gather(_unwanted(beams).to(torch.uint8).argsort(dim=1, stable=True)[:, :kept])
    return beams.gather(beams.keys(length_penalty).argsort(dim=1, descending=True, stable=True))


def _unwanted(beams: Beams) -> Tensor:
    """(M, W): whether a hypothesis is impossible or says what one before it says."""
    same = (beams.tokens[:, :, None] == beams.tokens[:, None]).all(dim=-1)  # (M, W, W)
    return same.tril(-1).any(dim=2) | (beams.log_probs == -math.inf)
