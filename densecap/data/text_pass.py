"""The text part of preprocessing: phrases to words, the length filter, the vocabulary, the token matrix.

Millions of regions pass here, so words are numbered as they first appear and kept in one flat array; the numbers are
exchanged for those of the vocabulary when it is known which regions stay.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from densecap.data.hdf5 import SPLITS
from densecap.data.reader import Tally
from densecap.structures import ImageRecord
from densecap.text.cleaning import clean_words, storable_text
from densecap.text.vocabulary import Vocabulary

NO_WORDS = "caption without words"
TOO_LONG = "caption longer than max_tokens"
NO_REGION_LEFT = "no region left"


@dataclass
class Annotations:
    """N images with M regions that passed the text filters; ``words`` holds the regions' words one after the other.

    A word is a number, its spelling is ``spelling[number]``. ``boxes`` are N arrays (R, 4), not yet clipped.
    """

    ids: list[str] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)
    splits: array = field(default_factory=lambda: array("B"))
    boxes: list[np.ndarray] = field(default_factory=list)
    region_counts: array = field(default_factory=lambda: array("q"))
    captions: list[str] = field(default_factory=list)
    lengths: array = field(default_factory=lambda: array("i"))
    words: array = field(default_factory=lambda: array("i"))
    spelling: list[str] = field(default_factory=list)
    annotated: Counter[str] = field(default_factory=Counter)
    dropped_regions: Tally = field(default_factory=Counter)
    dropped_images: Tally = field(default_factory=Counter)


def collect(records: Iterable[ImageRecord], max_tokens: int, advance: Callable[[int], None]) -> Annotations:
    """Clean and filter all records; ``advance(1)`` is called after each. Regions need 1 to ``max_tokens`` words."""
    found, numbers = Annotations(), _Numbers()
    for record in records:
        advance(1)
        split, kept = record.split, []
        found.annotated[split] += len(record.captions)
        for region, caption in enumerate(record.captions):
            words = clean_words(caption)
            if not 0 < len(words) <= max_tokens:
                found.dropped_regions[TOO_LONG if words else NO_WORDS, split] += 1
                continue
            kept.append(region)
            found.captions.append(storable_text(caption))
            found.lengths.append(len(words))
            found.words.extend([numbers[word] for word in words])
        if not kept:
            found.dropped_images[NO_REGION_LEFT, split] += 1
            continue
        found.ids.append(storable_text(record.image_id))
        found.paths.append(record.path)
        found.splits.append(SPLITS.index(split))
        found.boxes.append(record.boxes if len(kept) == len(record.boxes) else record.boxes[kept])
        found.region_counts.append(len(kept))
    found.spelling = list(numbers)
    return found


class _Numbers(dict[str, int]):
    """Gives each new word the next number."""

    def __missing__(self, word: str) -> int:
        return self.setdefault(word, len(self))


@dataclass(frozen=True)
class Encoding:
    """``tokens`` (M, T) int32 and ``lengths`` (M,) of the kept regions, the vocabulary, its counts, and unknown words.

    ``word_totals`` and ``unknown_totals`` (3,) count the words of each split, and those that became ``<UNK>``.
    """

    vocabulary: Vocabulary
    counts: np.ndarray
    tokens: np.ndarray
    lengths: np.ndarray
    word_totals: np.ndarray
    unknown_totals: np.ndarray


def encode(
    found: Annotations, kept: np.ndarray, min_count: int, counted_splits: Iterable[str], max_tokens: int
) -> Encoding:
    """Vocabulary and tokens of the regions that ``kept`` (M,) bool leaves.

    A word is in the vocabulary when it occurs ``min_count`` times in the kept regions of ``counted_splits``; ``<UNK>``
    when any kept region of any split has another word.
    """
    region_splits = np.repeat(np.frombuffer(found.splits, dtype=np.uint8), np.asarray(found.region_counts))[kept]
    all_lengths = np.asarray(found.lengths)
    words = np.asarray(found.words)[np.repeat(kept, all_lengths)]
    lengths = all_lengths[kept]
    word_splits = np.repeat(region_splits, lengths)
    counted = np.isin(word_splits, [SPLITS.index(split) for split in counted_splits])
    counts = np.bincount(words[counted], minlength=len(found.spelling))
    cut = (counts < min_count)[words]  # one flag a word of the text
    occurrences = Counter({found.spelling[number]: int(counts[number]) for number in np.flatnonzero(counts)})
    vocabulary = Vocabulary.from_counts(occurrences, min_count, needs_unknown=bool(cut.any()))

    ids = np.full(len(found.spelling), vocabulary.unknown or 0, dtype=np.int32)
    numbers = {word: number for number, word in enumerate(found.spelling)}
    known = [word for word in vocabulary.words if word in numbers]
    ids[[numbers[word] for word in known]] = np.arange(1, len(known) + 1, dtype=np.int32)
    tokens = np.zeros((len(lengths), max_tokens), dtype=np.int32)
    tokens[np.arange(max_tokens) < lengths[:, None]] = ids[words]

    vocabulary_counts = [occurrences[word] for word in known]
    if vocabulary.unknown is not None:
        vocabulary_counts.append(int((cut & counted).sum()))
    return Encoding(
        vocabulary,
        np.array(vocabulary_counts, dtype=np.int64),
        tokens,
        lengths.astype(np.int32),
        np.bincount(word_splits, minlength=len(SPLITS)),
        np.bincount(word_splits[cut], minlength=len(SPLITS)),
    )
