"""log p(sentence | image) of all pairs of images and sentences, whatever the decoder."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from densecap.models.decoders.base import Decoder
from densecap.models.retrieval.late_fusion import LateFusionScorer
from densecap.text.vocabulary import END

#: Bytes that the scores of the words may take at once on the way through the whole decoder.
NAIVE_BYTES = 100 << 20

#: (work done, work in all), in units that take equally long.
Report = Callable[[int, int], None]


@torch.no_grad()
def pair_log_probs(
    decoder: Decoder, features: Tensor, tokens: Tensor, report: Report = lambda done, total: None
) -> Tensor:
    """Features (I, F) and sentences (S, T), padded with 0 -> log-probabilities (I, S), words and END, in float32.

    Late-fusion decoders take the short way (``late_fusion``); any other reads every sentence to every image. Equal
    sentences are scored once. The decoder should be in evaluation mode; I and S may be 0. ``report`` is called after
    every block.
    """
    if not len(features) or not len(tokens):
        return features.new_zeros(len(features), len(tokens), dtype=torch.float32)
    if not tokens.shape[1]:
        tokens = F.pad(tokens, (0, 1), value=END)
    distinct, which = torch.unique(tokens, dim=0, return_inverse=True)
    scorer = LateFusionScorer(decoder, distinct) if decoder.late_fusion else None
    total = len(features) * (len(distinct) if scorer is None else scorer.num_prefixes)
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        report(done, total)

    if scorer is None:
        return read_to_every_image(decoder, features, distinct, advance).t()[:, which]
    return scorer.score(features, advance).t()[:, which]


def read_to_every_image(
    decoder: Decoder, features: Tensor, tokens: Tensor, advance: Callable[[int], None] = lambda count: None
) -> Tensor:
    """(I, F) and (S, T) -> (S, I), every pair through the whole decoder."""
    lengths = (tokens != END).sum(dim=1)
    order = lengths.argsort(stable=True)
    scores = torch.empty(len(tokens), len(features), device=features.device)
    for part in _parts(order, lengths, decoder.vocabulary_size + 1):
        sentences = tokens[part, : int(lengths[part].max())]  # (N, T)
        rows = _rows(sentences.shape[1], decoder.vocabulary_size + 1)
        for left in range(0, len(features), max(1, rows // len(part))):
            block = features[left : left + max(1, rows // len(part))]  # (I', F)
            repeated = sentences.repeat_interleave(len(block), dim=0)  # (N * I', T)
            losses = decoder.loss(block.repeat(len(part), 1), repeated)
            scores[part, left : left + len(block)] = -losses.view(len(part), len(block))
            advance(len(part) * len(block))
    return scores


def _parts(order: Tensor, lengths: Tensor, num_scores: int) -> tuple[Tensor, ...]:
    """Sentences of about equal length, no more than are scored at once."""
    rows = _rows(int(lengths.max()), num_scores)
    return order.split(max(1, min(rows, 32)))


def _rows(length: int, num_scores: int) -> int:
    return max(1, NAIVE_BYTES // (4 * (length + 1) * num_scores))


def log_marginal(log_probs: Tensor) -> Tensor:
    """log p(sentence | image) (K, S) of K images -> log p(sentence) (S,), each image being as likely."""
    return log_probs.double().logsumexp(dim=0) - math.log(len(log_probs))


def corrected_for_frequency(log_probs: Tensor, marginal: Tensor) -> Tensor:
    """log p(w | I) (I, S) minus log p(w) (S,): what ranks sentences for an image (m-RNN, retrieval).

    Without it short and common sentences would win for every image. It ranks as p(I | w) does.
    """
    return log_probs - marginal.to(log_probs.dtype)
