"""Matches of words and phrases between a candidate and a reference, before any of them is chosen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from densecap.metrics.meteor.batch import Batch
from densecap.metrics.meteor.lexicon import Lexicon
from densecap.metrics.meteor.ragged import equal_pairs, spread

EXACT, STEM, SYNONYM, PARAPHRASE = range(4)
_MOST_CELLS = 1_000_000


@dataclass(frozen=True)
class Matches:
    """M matches, each of a row of words of the reference with a row of words of the candidate. All (M,) int64."""

    pair: np.ndarray
    module: np.ndarray
    reference_start: np.ndarray
    reference_length: np.ndarray
    candidate_start: np.ndarray
    candidate_length: np.ndarray

    def take(self, which: np.ndarray) -> Matches:
        """The matches at positions ``which``, or where it is true."""
        return Matches(*(column[which] for column in self.columns()))

    def columns(self) -> tuple[np.ndarray, ...]:
        """The six columns in order."""
        return tuple(self.__dict__.values())


def join(parts: list[Matches]) -> Matches:
    """All matches of the parts, one part after the other."""
    return Matches(*(np.concatenate(columns) for columns in zip(*(part.columns() for part in parts))))


def word_matches(batch: Batch, lexicon: Lexicon) -> list[Matches]:
    """Exact, stem and synonym matches, each sorted by pair, reference word and candidate word.

    Identical sentences match exactly or not at all.
    """
    relation = _relate(batch.vocabulary, lexicon)
    reference_lengths = batch.lengths[batch.references]
    rows, within = spread(reference_lengths)  # a row per word of each pair's reference
    widths = batch.lengths[batch.candidates][rows]
    parts = [_scan(batch, relation, rows[part], within[part], widths[part]) for part in _portions(widths)]
    pair, reference_start, candidate_start, found = (np.concatenate(columns) for columns in zip(*parts))
    return [
        _single_words(module, pair[chosen], reference_start[chosen], candidate_start[chosen])
        for module in (EXACT, STEM, SYNONYM)
        for chosen in [np.flatnonzero(found & (1 << module))]
    ]


def _relate(vocabulary: np.ndarray, lexicon: Lexicon) -> np.ndarray:
    """A bit per module for each pair of words: uint8 (V, V)."""
    size = len(vocabulary)
    relation = np.zeros((size, size), np.uint8)
    relation[equal_pairs(lexicon.stems(vocabulary), np.arange(size))] = 1 << STEM
    owners, synsets = lexicon.synsets(vocabulary)
    relation[equal_pairs(synsets, owners)] |= 1 << SYNONYM
    relation[equal_pairs(lexicon.spellings(vocabulary), np.arange(size))] = 1 << EXACT
    return relation


def _portions(widths: np.ndarray) -> list[slice]:
    """Slices of the rows that hold at most about a million cells together."""
    if len(widths) == 0:
        return [slice(0, 0)]
    cells = np.cumsum(widths)
    bounds = np.searchsorted(cells, np.arange(_MOST_CELLS, cells[-1], _MOST_CELLS))
    edges = np.unique(np.concatenate(([0], bounds, [len(widths)])))
    return [slice(int(first), int(last)) for first, last in zip(edges[:-1], edges[1:])]


def _scan(
    batch: Batch, relation: np.ndarray, pair: np.ndarray, reference_start: np.ndarray, widths: np.ndarray
) -> tuple[np.ndarray, ...]:
    """The related cells of rows (R,): pair, place in reference, place in candidate, and the bits found."""
    row, column = spread(widths)
    wanted = batch.words[batch.offsets[batch.references[pair]] + reference_start]
    place = batch.offsets[batch.candidates[pair]][row] + column
    bits = relation.ravel()[wanted[row] * len(relation) + batch.words[place]]
    same = batch.candidates[pair] == batch.references[pair]
    cells = np.flatnonzero(bits)
    bits, row = bits[cells], row[cells]
    bits = np.where(same[row], bits & (1 << EXACT), bits)
    return pair[row], reference_start[row], column[cells], bits


def _single_words(module: int, pair: np.ndarray, reference_start: np.ndarray, candidate_start: np.ndarray) -> Matches:
    ones = np.ones(len(pair), np.int64)
    return Matches(pair, np.full(len(pair), module), reference_start, ones, candidate_start, ones)
