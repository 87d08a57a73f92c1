"""Matches of phrases that METEOR's table calls paraphrases of each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from densecap.metrics.meteor.batch import Batch
from densecap.metrics.meteor.index import ParaphraseIndex
from densecap.metrics.meteor.index_build import ROOT
from densecap.metrics.meteor.lexicon import Lexicon
from densecap.metrics.meteor.matches import PARAPHRASE, Matches
from densecap.metrics.meteor.ragged import spread

_FILTER_BITS = 20


@dataclass(frozen=True)
class _Spans:
    """Phrases of the sentences that the table knows, sorted by sentence, start and length. All (n,) int64."""

    sentence: np.ndarray
    start: np.ndarray
    length: np.ndarray
    node: np.ndarray

    def take(self, which: np.ndarray) -> _Spans:
        return _Spans(self.sentence[which], self.start[which], self.length[which], self.node[which])


class ParaphraseMatcher:
    """Finds the paraphrases of a batch; ``index`` is opened by densecap.metrics.meteor.index."""

    def __init__(self, index: ParaphraseIndex) -> None:
        self._index = index
        self._labels = np.zeros(len(index.edges), np.int32)  # scratch, all zero between uses

    def __call__(self, batch: Batch, lexicon: Lexicon) -> list[Matches]:
        """Matches that begin from the references' phrases, then those that begin from the candidates'.

        Each list is sorted by the beginning side's start and length, then by the table's order, then by the other
        side's start. A match that the table lists both ways appears in both lists.
        """
        spans = self._find_spans(batch, lexicon)
        sources, targets, label_count = self._relate(spans)
        wanted = np.flatnonzero(batch.candidates != batch.references)
        finder = _Finder(sources, targets, label_count, len(batch.offsets) - 1)
        pair, reference, candidate = finder.find(batch.references[wanted], batch.candidates[wanted])
        forward = _matches(wanted[pair], reference, candidate)
        pair, candidate, reference = finder.find(batch.candidates[wanted], batch.references[wanted])
        return [forward, _matches(wanted[pair], reference, candidate)]

    def _find_spans(self, batch: Batch, lexicon: Lexicon) -> _Spans:
        """Every stretch of words that is a path in the index."""
        table = lexicon.table_numbers(batch.vocabulary)
        first = np.where(table > 0, self._index.step(np.full(len(table), ROOT), table), ROOT)
        words = table[batch.words]
        sentence = np.repeat(np.arange(len(batch.lengths)), batch.lengths)
        ends = batch.offsets[1:][sentence]
        place = np.arange(len(words))
        nodes = first[batch.words]
        levels = []
        length = 0
        while True:
            alive = np.flatnonzero(nodes != ROOT)
            place, nodes, length = place[alive], nodes[alive], length + 1
            if len(place) == 0:
                break
            levels.append((place, np.full(len(place), length), nodes))
            inside = np.flatnonzero(place + length < ends[place])
            place, nodes = place[inside], nodes[inside]
            nodes = self._index.step(nodes, words[place + length])
        if not levels:
            levels = [(place, place, nodes)]
        place, lengths, nodes = (np.concatenate(column) for column in zip(*levels))
        order = np.argsort(place, kind="stable")
        place = place[order]
        return _Spans(sentence[place], place - batch.offsets[sentence[place]], lengths[order], nodes[order])

    def _relate(self, spans: _Spans) -> tuple[_Spans, _Spans, int]:
        """The spans with a paraphrase in the batch, once for each, labelled in ``node`` by the paraphrase;
        the spans that are such paraphrases, labelled the same way; and the number of labels."""
        row = self._index.sources[spans.node]
        sources = np.flatnonzero(row >= 0)
        targets = spans.take(np.flatnonzero(self._index.targets[spans.node]))
        rows, place = np.unique(row[sources], return_inverse=True)
        starts = self._index.offsets[rows].astype(np.int64)
        owner, within = spread(self._index.offsets[rows + 1] - starts)
        entries = self._index.paraphrases[starts[owner] + within]

        self._labels[targets.node] = 1
        here = np.flatnonzero(self._labels[entries])
        self._labels[targets.node] = 0
        owner, entries = owner[here], entries[here]
        wanted = np.unique(entries)
        self._labels[wanted] = np.arange(1, len(wanted) + 1)
        target_labels, entry_labels = self._labels[targets.node], self._labels[entries]
        self._labels[wanted] = 0

        counts = np.bincount(owner, minlength=len(rows))
        span, within = spread(counts[place])
        first = (np.cumsum(counts) - counts)[place]
        expanded = spans.take(sources[span])
        labels = entry_labels[first[span] + within].astype(np.int64)
        chosen = np.flatnonzero(target_labels)
        labelled = targets.take(chosen)
        return (
            _Spans(expanded.sentence, expanded.start, expanded.length, labels),
            _Spans(labelled.sentence, labelled.start, labelled.length, target_labels[chosen].astype(np.int64)),
            len(wanted) + 1,
        )


class _Finder:
    """Looks up which paraphrases of one sentence's phrases stand in another sentence."""

    def __init__(self, sources: _Spans, targets: _Spans, label_count: int, sentence_count: int) -> None:
        self._sources = sources
        self._bounds = np.searchsorted(sources.sentence, np.arange(sentence_count + 1))
        self._label_count = label_count
        keys = targets.sentence * label_count + targets.node
        order = np.argsort(keys, kind="stable")
        self._targets, self._keys = targets.take(order), keys[order]
        self._filter = np.zeros(1 << _FILTER_BITS, np.bool_)
        self._filter[keys & ((1 << _FILTER_BITS) - 1)] = True

    def find(self, begin: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, _Spans, _Spans]:
        """For pairs of sentences (P,): pair, phrase of ``begin`` and its paraphrase in ``other``, each (m,)."""
        pair, within = spread(self._bounds[begin + 1] - self._bounds[begin])
        source = self._bounds[begin][pair] + within
        keys = other[pair] * self._label_count + self._sources.node[source]
        likely = np.flatnonzero(self._filter[keys & ((1 << _FILTER_BITS) - 1)])
        pair, source, keys = pair[likely], source[likely], keys[likely]
        first = np.searchsorted(self._keys, keys, "left")
        hit, within = spread(np.searchsorted(self._keys, keys, "right") - first)
        return pair[hit], self._sources.take(source[hit]), self._targets.take(first[hit] + within)


def _matches(pair: np.ndarray, reference: _Spans, candidate: _Spans) -> Matches:
    module = np.full(len(pair), PARAPHRASE)
    return Matches(pair, module, reference.start, reference.length, candidate.start, candidate.length)
