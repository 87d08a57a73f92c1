"""The words of what may be a true positive, scored by METEOR."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeAlias

import numpy as np

from densecap.metrics.dense_map.matching import ImageLayout, ImageMatches
from densecap.metrics.dense_map.records import DenseRecord, Floats
from densecap.text.cleaning import clean_words
from densecap.text.vocabulary import Vocabulary

#: A candidate and its references.
Pair: TypeAlias = tuple[str, tuple[str, ...]]
#: Scores any number of (candidate, references) pairs, for each the best over its references: METEOR, usually.
PairScorer: TypeAlias = Callable[[list[tuple[str, list[str]]]], Sequence[float] | Floats]


class TruthPhrases:
    """The distinct phrases of an image's merged truths, tidied once however many detections claim them.

    With a ``vocabulary`` phrases are cleaned as in 2016 and words outside it become <UNK>. ``|||`` is deleted from all
    texts and white space made single spaces; empty phrases are left out.
    """

    def __init__(self, record: DenseRecord, layout: ImageLayout, vocabulary: Vocabulary | None = None) -> None:
        self.record, self.groups, self.vocabulary = record, layout.groups, vocabulary
        self._known: dict[int, tuple[str, ...]] = {}

    def pairs(self, matches: ImageMatches) -> list[Pair]:
        """P pairs: the caption of each possible true positive and the phrases of the truth it claims."""
        captions = [plain_text(self.record.captions[row]) for row in matches.detection.tolist()]
        return list(zip(captions, map(self._phrases, matches.truth.tolist())))

    def _phrases(self, truth: int) -> tuple[str, ...]:
        if truth not in self._known:
            phrases = [self.record.truth_captions[member] for member in self.groups[truth].tolist()]
            if self.vocabulary is not None:
                phrases = [self.vocabulary.decode(self.vocabulary.encode(clean_words(text))) for text in phrases]
            self._known[truth] = tuple(text for text in dict.fromkeys(map(plain_text, phrases)) if text)
        return self._known[truth]


def score_pairs(pairs: Sequence[Pair], scorer: PairScorer) -> Floats:
    """Scores (P,); equal pairs are scored once, an empty caption or no reference scores 0 without asking.

    Errors: ValueError when the scorer returns something else than one number a pair.
    """
    numbers: dict[Pair, int] = {}
    place = np.fromiter((numbers.setdefault(pair, len(numbers)) for pair in pairs), np.int64, len(pairs))
    distinct = list(numbers)
    asked = [index for index, (caption, references) in enumerate(distinct) if caption and references]
    scores = np.zeros(len(distinct))
    if asked:
        wanted = [(distinct[index][0], list(distinct[index][1])) for index in asked]
        found = np.asarray(scorer(wanted), np.float64)
        if found.shape != (len(asked),) or np.isnan(found).any():
            raise ValueError(f"the scorer of captions gave {found.shape} for {len(asked)} pairs, or a score is NaN")
        scores[asked] = found
    return scores[place]


@lru_cache(maxsize=1 << 14)
def plain_text(caption: str) -> str:
    """The caption on one line with single spaces and without ``|||``, which separates captions in METEOR's protocol."""
    return " ".join(caption.replace("|||", "").split())
