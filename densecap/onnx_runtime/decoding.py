"""Captions from features, greedy or by beam search, as ``densecap.models.generation`` writes them, on arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from densecap.errors import UserError
from densecap.models.generation_settings import GenerationSettings
from densecap.text.vocabulary import END, Vocabulary

State = dict[str, np.ndarray]

#: Tokens (N,) and the state -> scores (N, V + 1) of the next word and the next state.
Step = Callable[[np.ndarray, State], tuple[np.ndarray, State]]

#: Sequences that are decoded together at most.
MAX_ROWS = 4096

#: Settings that only PyTorch's search has, and the value that asks for nothing.
UNKNOWN_HERE = {"temperature": None, "top_k": None, "top_p": None, "no_repeat_ngram": None, "num_groups": 1}


@dataclass
class Spoken:
    """``tokens`` and ``token_log_probs`` (N, T), ``log_probs`` (N,), like ``densecap.structures.Captions``."""

    tokens: np.ndarray
    log_probs: np.ndarray
    token_log_probs: np.ndarray


@dataclass
class Beams:
    """Hypotheses of M regions, W each, best first: ``tokens`` and ``terms`` (M, W, t), all else (M, W)."""

    tokens: np.ndarray
    terms: np.ndarray
    totals: np.ndarray
    lengths: np.ndarray
    finished: np.ndarray

    def select(self, regions: np.ndarray) -> Beams:
        return Beams(*(value[regions] for value in vars(self).values()))

    def extend(self, parents: np.ndarray, words: np.ndarray, values: np.ndarray) -> Beams:
        """Hypothesis w continues beam ``parents[:, w]`` with ``words[:, w]``, worth ``values[:, w]``; all (M, W')."""
        rows = np.arange(len(parents))[:, None]
        tokens, terms, totals, lengths, finished = (value[rows, parents] for value in vars(self).values())
        totals = totals + values
        return Beams(
            np.concatenate((tokens, words[..., None]), axis=2),
            np.concatenate((terms, values[..., None]), axis=2),
            totals,
            lengths + ~finished,
            finished | (words == END) | np.isneginf(totals),
        )


def check_settings(settings: GenerationSettings) -> None:
    """Errors: UserError for what the search here cannot do."""
    for name, nothing in UNKNOWN_HERE.items():
        if getattr(settings, name) != nothing:
            raise UserError(
                f"generation.{name} is not there for a model in ONNX, which is searched greedily or with "
                "generation.beam_size: leave it, or use the checkpoint"
            )


def generate(step: Step, state: State, count: int, settings: GenerationSettings, vocabulary: Vocabulary) -> Spoken:
    """``num_captions`` captions next to each other, best first, for each of ``count`` sequences in ``state``."""
    at_once = max(1, MAX_ROWS // settings.beam_size)
    parts = [
        _searched(step, {name: value[at : at + at_once] for name, value in state.items()}, settings, vocabulary)
        for at in range(0, count, at_once)
    ]
    if not parts:
        nothing = np.zeros((0, settings.max_length), np.float32)
        return Spoken(nothing.astype(np.int64), nothing[:, 0], nothing)
    return Spoken(*(np.concatenate([vars(part)[name] for part in parts]) for name in vars(parts[0])))


def _searched(step: Step, state: State, settings: GenerationSettings, vocabulary: Vocabulary) -> Spoken:
    count, kept, length = len(next(iter(state.values()))), settings.num_captions, settings.max_length
    tokens = np.full((count, kept, length), END, np.int64)
    log_probs, terms = np.full((count, kept), -np.inf, np.float32), np.zeros((count, kept, length), np.float32)
    terms[:, :, 0] = -np.inf
    none, zeros = np.zeros((count, 1, 0)), np.zeros((count, 1))
    beams = Beams(
        none.astype(np.int64), none.astype(np.float32), zeros.astype(np.float32), zeros.astype(np.int64), zeros > 0
    )
    regions, words = np.arange(count), np.full(count, vocabulary.start, np.int64)
    looked_at = kept if settings.length_penalty <= 0 else None
    for number in range(1, length + 1):
        scores, state = step(words, state)
        width = beams.tokens.shape[1]
        parents, beams = _extended(scores.reshape(len(regions), width, -1), beams, settings, vocabulary)
        rows = np.arange(len(regions))[:, None] * width + parents
        done = np.asarray(beams.finished[:, :looked_at].all(axis=1) | (number == length))
        _write(tokens, log_probs, terms, regions[done], beams.select(done))
        regions, beams, rows = regions[~done], beams.select(~done), rows[~done]
        if not len(regions):
            break
        state = {name: value[rows.reshape(-1)] for name, value in state.items()}
        words = beams.tokens[:, :, -1].reshape(-1)
    return Spoken(tokens.reshape(-1, length), log_probs.reshape(-1), terms.reshape(-1, length))


def _extended(
    scores: np.ndarray, beams: Beams, settings: GenerationSettings, vocabulary: Vocabulary
) -> tuple[np.ndarray, Beams]:
    """The best continuations of all beams of a region; a finished beam has one, END at no cost."""
    normalizer = _log_sum(scores)  # (M, W, 1)
    scores = _restricted(scores, beams.tokens.shape[2], settings, vocabulary)
    words = _best(scores, settings.beam_size)  # (M, W, k)
    values = np.take_along_axis(scores, words, axis=2) - normalizer
    once = np.full_like(values[:1, :1], -np.inf)
    once[..., 0] = 0
    ended = beams.finished[:, :, None]
    values, words = np.where(ended, once, values), np.where(ended, END, words)
    keys = beams.totals[:, :, None] + values
    if settings.length_penalty:
        lengths = beams.lengths + ~beams.finished
        keys = keys / lengths[:, :, None].astype(np.float32) ** np.float32(settings.length_penalty)
    flat = keys.reshape(len(keys), -1)
    picked = _best(flat, settings.beam_size)  # (M, W')
    chosen = (np.take_along_axis(item.reshape(flat.shape), picked, axis=1) for item in (words, values))
    parents = picked // values.shape[2]
    return parents, beams.extend(parents, *chosen)


def _restricted(scores: np.ndarray, said: int, settings: GenerationSettings, vocabulary: Vocabulary) -> np.ndarray:
    """-inf for <UNK> where it may not be said, and for END before the least length, unless nothing else is left."""
    unknown = None if settings.allow_unknown else vocabulary.unknown
    too_short = said < settings.min_length
    if unknown is None and not too_short:
        return scores
    limited = scores.copy()
    if unknown is not None:
        limited[..., unknown] = -np.inf
    if too_short:
        limited[..., END] = -np.inf
        stuck = np.isneginf(limited.max(axis=-1))
        limited[..., END] = np.where(stuck, scores[..., END], -np.inf)
    return limited


def _best(values: np.ndarray, count: int) -> np.ndarray:
    """Places of the ``count`` largest of the last dimension, largest first, the first of equal ones."""
    if count == 1:
        return values.argmax(axis=-1)[..., None]
    return np.argsort(-values, axis=-1, kind="stable")[..., :count]


def _log_sum(scores: np.ndarray) -> np.ndarray:
    """(M, W, V + 1) -> (M, W, 1): log of the sum of exponentials."""
    top: Any = scores.max(axis=-1, keepdims=True)
    return top + np.log(np.exp(scores - top).sum(axis=-1, keepdims=True))


def _write(tokens: np.ndarray, log_probs: np.ndarray, terms: np.ndarray, regions: np.ndarray, beams: Beams) -> None:
    """Put the best hypotheses of ``regions`` where they belong; impossible ones stay empty."""
    width, length = min(tokens.shape[1], beams.tokens.shape[1]), beams.tokens.shape[2]
    totals = beams.totals[:, :width]
    possible = ~np.isneginf(totals)[..., None]
    tokens[regions, :width, :length] = np.where(possible, beams.tokens[:, :width], END)
    terms[regions, :width, :length] = np.where(possible, beams.terms[:, :width], terms[regions, :width, :length])
    log_probs[regions, :width] = totals
