"""Hypotheses during generation, and the two ways to extend them by a word."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from densecap.text.vocabulary import END


@dataclass
class Beams:
    """Hypotheses of M regions, W each, best first: ``tokens`` and ``token_log_probs`` (M, W, t), all else (M, W).

    ``lengths`` counts words and END; ``finished`` hypotheses have said END, or are impossible (log-probability -inf).
    """

    tokens: Tensor
    token_log_probs: Tensor
    log_probs: Tensor
    lengths: Tensor
    finished: Tensor

    @classmethod
    def start(cls, count: int, device: torch.device) -> Beams:
        """One empty hypothesis for each of ``count`` regions."""
        zeros = torch.zeros(count, 1, dtype=torch.int64, device=device)
        tokens = torch.zeros(count, 1, 0, dtype=torch.int64, device=device)
        return cls(tokens, tokens.float(), zeros.float(), zeros, zeros.bool())

    @property
    def width(self) -> int:
        return self.tokens.shape[1]

    @property
    def steps(self) -> int:
        """Words and ENDs said so far by those that are not finished."""
        return self.tokens.shape[2]

    def keys(self, length_penalty: float) -> Tensor:
        """(M, W): what hypotheses compare by, log-probability / length ** penalty; for at least one step."""
        return self.log_probs / self.lengths.float() ** length_penalty if length_penalty else self.log_probs

    def select(self, regions: Tensor) -> Beams:
        return Beams(*(value[regions] for value in self._all()))

    def columns(self, where: slice) -> Beams:
        """Some hypotheses of every region."""
        return Beams(*(value[:, where] for value in self._all()))

    def gather(self, order: Tensor) -> Beams:
        """Hypothesis w is the present one ``order[:, w]``, (M, W')."""
        long = order[:, :, None].expand(-1, -1, self.steps)
        return Beams(*(value.gather(1, long if value.dim() == 3 else order) for value in self._all()))

    def extend(self, parents: Tensor, words: Tensor, values: Tensor) -> Beams:
        """Hypothesis w continues beam ``parents[:, w]`` with ``words[:, w]`` of log-probability ``values[:, w]``; all
        (M, W'). Finished ones repeat END at a value of 0."""
        past = self.gather(parents)
        log_probs = past.log_probs + values
        return Beams(
            torch.cat((past.tokens, words[:, :, None]), dim=2),
            torch.cat((past.token_log_probs, values[:, :, None]), dim=2),
            log_probs,
            past.lengths + ~past.finished,
            past.finished | (words == END) | (log_probs == -math.inf),
        )

    def _all(self) -> tuple[Tensor, ...]:
        return self.tokens, self.token_log_probs, self.log_probs, self.lengths, self.finished


def join_beams(parts: list[Beams]) -> Beams:
    """The hypotheses of several ``Beams`` of the same regions next to each other."""
    return Beams(*(torch.cat(values, dim=1) for values in zip(*(part._all() for part in parts))))


def search_words(
    scores: Tensor,
    log_normalizer: Tensor,
    beams: Beams,
    beam_size: int,
    length_penalty: float,
    discouraged: Tensor | None = None,
) -> tuple[Tensor, Beams]:
    """The best ``beam_size`` continuations of all beams of a region.

    ``scores`` (M, W, V + 1) minus ``log_normalizer`` (M, W, 1) are log-probabilities. Returns the beam (M, W') that
    each new hypothesis continues and the new beams. A finished beam has a single continuation, END at no cost, so it
    can neither multiply nor be lost to its own copies. ``discouraged`` (M, V + 1) is taken off the log-probabilities
    for the choice, but does not appear in what is returned.
    """
    wanted = scores if discouraged is None else scores - discouraged[:, None]
    values, words = top(wanted, min(beam_size, scores.shape[-1]))  # (M, W, k)
    values = values - log_normalizer
    once = torch.full_like(values[:1, :1], -math.inf)
    once[..., 0] = 0
    ended = beams.finished[:, :, None]
    values, words = torch.where(ended, once, values), words.masked_fill(ended, END)
    keys = beams.log_probs[:, :, None] + values  # (M, W, k)
    if discouraged is not None:
        values = torch.where(ended, once, scores.gather(2, words) - log_normalizer)
    if length_penalty:
        lengths = beams.lengths + ~beams.finished
        keys = keys / lengths[:, :, None].float() ** length_penalty
    picked = top(keys.flatten(1), min(beam_size, keys[0].numel()))[1]  # (M, W')
    parents = picked // values.shape[2]
    return parents, beams.extend(parents, words.flatten(1).gather(1, picked), values.flatten(1).gather(1, picked))


def sample_words(
    scores: Tensor,
    log_normalizer: Tensor,
    beams: Beams,
    temperature: float | None,
    top_k: int | None,
    top_p: float | None,
    generator: torch.Generator | None,
) -> tuple[Tensor, Beams]:
    """One random continuation of every beam; arguments and results as for ``search_words``, with W' = W."""
    filtered = keep_probable(scores / (temperature or 1.0), top_k, top_p)
    probabilities = filtered.softmax(dim=-1).flatten(0, 1)  # (M * W, V + 1)
    words = torch.multinomial(probabilities, 1, generator=generator).view(beams.finished.shape)  # (M, W)
    words = words.masked_fill(beams.finished, END)
    values = (scores.gather(2, words[:, :, None]) - log_normalizer)[:, :, 0].masked_fill(beams.finished, 0)
    parents = torch.arange(beams.width, device=scores.device).expand(beams.finished.shape)
    return parents, beams.extend(parents, words, values)


def keep_probable(scores: Tensor, top_k: int | None, top_p: float | None) -> Tensor:
    """Scores (..., C) with -inf for all but the k largest, then for all but the fewest that together reach p."""
    if top_k is not None and top_k < scores.shape[-1]:
        smallest = scores.topk(top_k, dim=-1).values[..., -1:]
        scores = scores.masked_fill(scores < smallest, -math.inf)
    if top_p is not None and top_p < 1:
        ordered, order = scores.sort(dim=-1, descending=True)
        probabilities = ordered.softmax(dim=-1)
        before = probabilities.cumsum(dim=-1) - probabilities  # what the more probable ones reach
        dropped = torch.zeros_like(scores, dtype=torch.bool).scatter(-1, order, before >= top_p)
        scores = scores.masked_fill(dropped, -math.inf)
    return scores


def top(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The ``count`` largest of the last dimension, largest first, and where they are."""
    if count == 1:  # several times faster than topk
        largest, where = values.max(dim=-1, keepdim=True)
    else:
        largest, where = values.topk(count, dim=-1)
    return largest, where
