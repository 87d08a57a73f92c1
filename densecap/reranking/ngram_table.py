"""The n-grams of many sentences as sparse vectors, and their products a few sentences at a time.

Clipped counts are no product of vectors, but become one when an n-gram that a sentence has c times stands in its vector
as c features, "the first time", "the second time" ...: two sentences share as many of these as the smaller count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from densecap.metrics.cider import DocumentFrequencies, frequencies_in
from densecap.metrics.ngrams import CaptionNgrams, Integers, count_ngrams

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class NgramTable:
    """The features of S sentences, sentence after sentence; sentence s has the entries starts[s] to starts[s + 1].

    lengths (S,)             words
    starts (S + 1,)
    feature (E,)             which feature, 0..D-1
    gram (E,)                which n-gram, 0..G-1, numbered through all orders
    times (E,)               how often the sentence has that n-gram
    order (E,)               0 for single words, up to 3
    ngrams                   as they were counted
    """

    lengths: Integers
    starts: Integers
    feature: Integers
    gram: Integers
    times: Integers
    order: Integers
    num_features: int
    num_grams: int
    ngrams: CaptionNgrams

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def sentence(self) -> Integers:
        """(E,) whose entry it is."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))


def ngram_table(sentences: Sequence[str]) -> NgramTable:
    """Count the n-grams of orders 1..4 of sentences given as words between spaces; there may be none."""
    ngrams = count_ngrams([""], [["", *sentences]])  # sentences 0 and 1 are empty
    parts, num_grams = [], 0
    for order, runs in enumerate(ngrams.orders):
        parts.append((runs.sentence - 2, runs.gram + num_grams, runs.times, np.full(len(runs.times), order)))
        num_grams += len(runs.keys)
    sentence, gram, times, orders = (np.concatenate(column) for column in zip(*parts))
    repeat = np.repeat(np.arange(len(times)), times)  # (E,) runs of which an entry each
    nth = np.arange(len(repeat)) - np.repeat(np.cumsum(times) - times, times)
    by_sentence = np.argsort(sentence[repeat], kind="stable")
    rows, nth = repeat[by_sentence], nth[by_sentence]
    most = int(times.max(initial=1))
    names, feature = np.unique(gram[rows] * most + nth, return_inverse=True)
    starts = np.searchsorted(sentence[rows], np.arange(len(sentences) + 1))
    lengths = ngrams.lengths[2:]
    return NgramTable(lengths, starts, feature, gram[rows], times[rows], orders[rows], len(names), num_grams, ngrams)


def document_counts(table: NgramTable, documents: Integers) -> Integers:
    """(G,) in how many documents an n-gram is, sentence s being in documents[s], ascending from 0."""
    owner = documents[table.sentence]  # (E,)
    most = len(documents) + 1
    pairs = np.unique(table.gram * most + owner)
    return np.bincount(pairs // most, minlength=table.num_grams)


def documents_in(table: NgramTable, fixed: DocumentFrequencies) -> Integers:
    """(G,) in how many documents of a fixed set an n-gram of the table is."""
    orders = enumerate(table.ngrams.orders, start=1)
    return np.concatenate([frequencies_in(runs, order, table.ngrams, fixed) for order, runs in orders])


class Products:
    """Products of the vectors of some sentences with those of others, entries weighted on each side.

    Errors: none; a group without sentences gives an empty matrix.
    """

    def __init__(self, table: NgramTable) -> None:
        self.table = table
        self._column = np.full(table.num_features, -1)

    def __call__(self, left: Integers, right: Integers, left_weights: Floats, right_weights: Floats) -> Floats:
        """Sentences (H,) and (R,), weights (E,) of all entries -> (H, R)."""
        own, own_row = self._entries(left)
        features = np.unique(self.table.feature[own])
        self._column[features] = np.arange(len(features))
        vectors = np.zeros((len(left), len(features)))
        vectors[own_row, self._column[self.table.feature[own]]] = left_weights[own]
        other, other_row = self._entries(right)
        column = self._column[self.table.feature[other]]
        shared = column >= 0
        others = np.zeros((len(right), len(features)))
        others[other_row[shared], column[shared]] = right_weights[other[shared]]
        self._column[features] = -1
        return vectors @ others.T

    def _entries(self, sentences: Integers) -> tuple[Integers, Integers]:
        """Entries (K,) of some sentences, and the place of each one's sentence among them."""
        starts = self.table.starts[sentences]
        sizes = self.table.starts[sentences + 1] - starts
        place = np.repeat(np.arange(len(sentences)), sizes)
        within = np.arange(len(place)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return starts[place] + within, place
