"""The words of what may be a true positive, scored by METEOR."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeAlias

import numpy as np

from densecap.metrics.dense_map.matching import ImageMatches
from densecap.metrics.dense_map.records import DenseRecord, Floats
from densecap.text.cleaning import clean_words
from densecap.text.vocabulary import Vocabulary

#: A candidate and its references.
Pair: TypeAlias = tuple[str, tuple[str, ...]]
#: Scores any number of (candidate, references) pairs, for each the best over its references: METEOR, usually.
PairScorer: TypeAlias = Callable[[list[tuple[str, list[str]]]], Sequence[float] | Floats]


def caption_pairs(record: DenseRecord, matches: ImageMatches, vocabulary: Vocabulary | None = None) -> list[Pair]:
    """P pairs: the caption of each possible true positive and the distinct phrases of the truth it claims.

    With a ``vocabulary`` the phrases are cleaned as in 2016 and words outside it become <UNK>. ``|||`` is deleted from
    all texts and white space made single spaces; empty references are left out.
    """
    pairs = []
    for detection, truth in zip(matches.detection.tolist(), matches.truth.tolist()):
        phrases = [record.truth_captions[member] for member in matches.groups[truth].tolist()]
        if vocabulary is not None:
            phrases = [vocabulary.decode(vocabulary.encode(clean_words(phrase))) for phrase in phrases]
        references = dict.fromkeys(map(plain_text, phrases))
        pairs.append((plain_text(record.captions[detection]), tuple(text for text in references if text)))
    return pairs


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
