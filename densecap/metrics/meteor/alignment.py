"""Chooses among matches, so that every word is used at most once."""

from __future__ import annotations

import numpy as np

from densecap.metrics.meteor.batch import Batch
from densecap.metrics.meteor.beam import BeamProblem, search
from densecap.metrics.meteor.matches import EXACT, Matches
from densecap.metrics.meteor.ragged import spread

_MOST_CHILDREN = 400_000
_BEAM = 40


def align(batch: Batch, matches: Matches) -> tuple[Matches, np.ndarray]:
    """The chosen matches, sorted by pair and place in the reference, and the number of chunks of each pair (P,).

    Matches are given module by module. A match that shares no word with another is always chosen; pairs that have
    any other match are searched.
    """
    bases = _bases(batch.lengths[batch.references])
    order = np.argsort(bases[matches.pair] + matches.reference_start, kind="stable")
    matches = matches.take(order)
    fixed = _fixed(batch, matches, bases)
    contested = np.zeros(len(batch.references), np.bool_)
    contested[matches.pair[~fixed]] = True
    chosen = ~contested[matches.pair]
    for pairs in _portions(np.flatnonzero(contested), matches.pair):
        chosen[search(_problem(batch, matches, fixed, pairs))] = True
    kept = matches.take(np.flatnonzero(chosen))
    return kept, _count_chunks(kept, len(batch.references))


def _bases(lengths: np.ndarray) -> np.ndarray:
    """Where each pair's words begin when those of all pairs (P,) are numbered through."""
    return np.cumsum(lengths) - lengths


def _fixed(batch: Batch, matches: Matches, reference_bases: np.ndarray) -> np.ndarray:
    """Which matches (M,) share no word with any other match."""
    candidate_bases = _bases(batch.lengths[batch.candidates])
    on_reference = reference_bases[matches.pair] + matches.reference_start
    on_candidate = candidate_bases[matches.pair] + matches.candidate_start
    return _alone(on_reference, matches.reference_length) & _alone(on_candidate, matches.candidate_length)


def _alone(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Which stretches of words (n,) overlap no other."""
    row, within = spread(lengths)
    words = starts[row] + within
    crowded = np.bincount(words)[words] > 1
    return np.bincount(row, weights=crowded, minlength=len(starts)) == 0


def _portions(pairs: np.ndarray, pair_of_match: np.ndarray) -> list[np.ndarray]:
    """The contested pairs (C,) in groups whose searches fit into memory together."""
    if len(pairs) == 0:
        return []
    matches = np.bincount(pair_of_match, minlength=pairs[-1] + 1)[pairs]
    portion = np.cumsum(np.minimum(matches, _BEAM) * 4) // _MOST_CHILDREN
    return np.split(pairs, np.flatnonzero(np.diff(portion)) + 1)


def _problem(batch: Batch, matches: Matches, fixed: np.ndarray, pairs: np.ndarray) -> BeamProblem:
    """The search over ``pairs`` (C,), renumbered from 0."""
    number = np.full(len(batch.references), -1)
    number[pairs] = np.arange(len(pairs))
    positions = np.flatnonzero(number[matches.pair] >= 0)
    mine = matches.take(positions)
    pair = number[mine.pair]
    gain = np.where(mine.module == EXACT, 2, mine.reference_length // 2 + mine.candidate_length // 2)
    return BeamProblem(
        pair=pair,
        start=mine.reference_start,
        length=mine.reference_length,
        candidate_start=mine.candidate_start,
        candidate_length=mine.candidate_length,
        gain=gain,
        fixed=fixed[positions],
        reference_lengths=batch.lengths[batch.references[pairs]],
        candidate_lengths=batch.lengths[batch.candidates[pairs]],
        names=positions,
        width=_BEAM,
    )


def _count_chunks(matches: Matches, pair_count: int) -> np.ndarray:
    """Runs of matches that follow each other in both sentences, per pair."""
    pair = matches.pair
    follows = (
        (pair[1:] == pair[:-1])
        & (matches.reference_start[1:] == (matches.reference_start + matches.reference_length)[:-1])
        & (matches.candidate_start[1:] == (matches.candidate_start + matches.candidate_length)[:-1])
    )
    begins = np.concatenate((np.ones(min(len(pair), 1), np.bool_), ~follows))
    return np.bincount(pair[begins], minlength=pair_count)
