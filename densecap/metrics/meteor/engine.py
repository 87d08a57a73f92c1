"""METEOR's statistics in this process, without Java."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from densecap.metrics.meteor.batch import batches
from densecap.metrics.meteor.index import open_index
from densecap.metrics.meteor.items import Item
from densecap.metrics.meteor.lexicon import Lexicon
from densecap.metrics.meteor.normalizer import Normalizer
from densecap.metrics.meteor.paraphrases import ParaphraseMatcher
from densecap.metrics.meteor.resources import (
    MeteorUnavailable,
    abbreviations,
    find_files,
    function_words,
    irregular_forms,
    synsets,
)
from densecap.metrics.meteor.score import scores
from densecap.metrics.meteor.statistics import COLUMNS, batch_statistics
from densecap.metrics.meteor.wordnet import WordNet

_MOST_WORDS = 300_000


class Engine:
    """Everything METEOR knows, ready to compare. Opening takes a fraction of a second once the index exists."""

    def __init__(self) -> None:
        files = find_files()
        index = open_index(files.paraphrases)
        self._normalize = Normalizer(abbreviations(files))
        wordnet = WordNet(synsets(files), irregular_forms(files))
        self._lexicon = Lexicon(_english_stemmer(), wordnet, function_words(files), index.words)
        self._paraphrases = ParaphraseMatcher(index)

    def statistics(self, items: Sequence[Item]) -> np.ndarray:
        """Statistics (n, 23) of each candidate against its best reference, the first of equals."""
        pairs = ((candidate, reference) for candidate, references in items for reference in references)
        counts = np.array([len(references) for _, references in items], dtype=np.int64)
        return best_references(self._pair_statistics(pairs), counts)

    def _pair_statistics(self, pairs: Iterator[tuple[str, str]]) -> np.ndarray:
        rows = [np.zeros((0, COLUMNS))]
        for batch in batches(pairs, self._normalize, self._lexicon):
            rows.append(batch_statistics(batch, self._lexicon, self._paraphrases))
            if len(self._lexicon) > _MOST_WORDS:
                self._lexicon.forget()
        return np.concatenate(rows)


def _english_stemmer() -> Callable[[str], str]:
    """The pure Python stemmer: snowballstemmer's own choice could be another release of the algorithm."""
    try:
        from snowballstemmer.english_stemmer import EnglishStemmer
    except ImportError as error:
        raise MeteorUnavailable("METEOR needs the package snowballstemmer: install densecap[meteor]") from error
    return EnglishStemmer().stemWord


def best_references(rows: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Of consecutive groups of ``counts`` (n,) rows, the first with the highest score: (n, 23)."""
    groups = np.repeat(np.arange(len(counts)), counts)
    order = np.lexsort((-scores(rows), groups))
    return rows[order[np.cumsum(counts) - counts]]
