"""Pairs of sentences as numbers, many at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from densecap.metrics.meteor.lexicon import Lexicon
from densecap.metrics.meteor.normalizer import Normalizer

_MOST_PAIRS = 4096
_MOST_CELLS = 500_000
_MOST_WORDS = 4096


@dataclass(frozen=True)
class Batch:
    """S different sentences and P pairs of them; words are numbered within the batch, 0 .. V - 1.

    Two sentences of the same words are one sentence.
    """

    vocabulary: np.ndarray  # (V,) numbers in the lexicon
    words: np.ndarray  # (T,) the sentences' words, one sentence after the other
    offsets: np.ndarray  # (S + 1,) where sentences begin in words
    candidates: np.ndarray  # (P,) sentence of each pair
    references: np.ndarray  # (P,)

    @property
    def lengths(self) -> np.ndarray:
        """Words of each sentence (S,)."""
        return np.diff(self.offsets)


class _Draft:
    """A batch in the making."""

    def __init__(self) -> None:
        self.by_text: dict[str, int] = {}
        self.by_words: dict[tuple[int, ...], int] = {}
        self.distinct: set[int] = set()
        self.pairs: list[tuple[int, int]] = []
        self.cells = 0

    def sentence(self, text: str, normalize: Normalizer, lexicon: Lexicon) -> int:
        if (known := self.by_text.get(text)) is not None:
            return known
        words = tuple(map(lexicon.__getitem__, normalize(text)))
        self.distinct.update(words)
        number = self.by_text[text] = self.by_words.setdefault(words, len(self.by_words))
        return number

    def is_full(self) -> bool:
        return len(self.pairs) >= _MOST_PAIRS or self.cells >= _MOST_CELLS or len(self.distinct) >= _MOST_WORDS

    def finish(self) -> Batch:
        sentences = list(self.by_words)
        offsets = np.concatenate(([0], np.cumsum([len(words) for words in sentences], dtype=np.int64)))
        flat = np.fromiter((word for words in sentences for word in words), np.int64, offsets[-1])
        vocabulary = np.fromiter(sorted(self.distinct), np.int64, len(self.distinct))
        place = np.zeros(vocabulary[-1] + 1 if len(vocabulary) else 0, np.int64)
        place[vocabulary] = np.arange(len(vocabulary))
        pairs = np.array(self.pairs, np.int64).reshape(-1, 2)
        return Batch(vocabulary, place[flat], offsets, pairs[:, 0], pairs[:, 1])


def batches(pairs: Iterator[tuple[str, str]], normalize: Normalizer, lexicon: Lexicon) -> Iterator[Batch]:
    """Batches of bounded size over pairs of a candidate and a reference, in order."""
    draft = _Draft()
    for candidate, reference in pairs:
        first = draft.sentence(candidate, normalize, lexicon)
        second = draft.sentence(reference, normalize, lexicon)
        draft.pairs.append((first, second))
        draft.cells += (len(candidate) + 1) * (len(reference) + 1) // 25
        if draft.is_full():
            yield draft.finish()
            draft = _Draft()
    if draft.pairs:
        yield draft.finish()
