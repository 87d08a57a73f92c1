"""ROUGE-L exactly as the COCO caption evaluation (pycocoevalcap 1.2) computes it.

The best precision and the best recall over all references, which need not come from the same one, make an F measure
with beta 1.2. As there, words are what stands between single spaces, so an empty caption has one empty word: it scores
1 against an empty reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from densecap.metrics.ngrams import check_captions

_BETA_SQUARED = 1.2**2


@dataclass(frozen=True)
class RougeScore:
    """``corpus`` the mean over images (0 for none), ``images`` (N,)."""

    corpus: float
    images: NDArray[np.float64]


def rouge_l(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> RougeScore:
    """ROUGE-L of N candidates against the references of each, all given as words between single spaces.

    Errors: ValueError when the two differ in length or an image has no reference.
    """
    check_captions(candidates, references)
    scores = map(_image_score, candidates, references)
    images = np.fromiter(scores, np.float64, len(candidates))
    return RougeScore(float(images.mean()) if len(images) else 0.0, images)


def _image_score(candidate: str, references: Sequence[str]) -> float:
    words = candidate.split(" ")
    places: dict[str, int] = {}  # word -> one bit for each place in the candidate
    bit = 1
    for word in words:
        places[word] = places.get(word, 0) | bit
        bit <<= 1
    longest, recall = 0, 0.0
    for reference in references:
        others = reference.split(" ")
        common = _common_length(places, others, bit - 1)
        longest = max(longest, common)
        recall = max(recall, common / len(others))
    if longest == 0:
        return 0.0
    precision = longest / len(words)
    return ((1 + _BETA_SQUARED) * precision * recall) / (recall + _BETA_SQUARED * precision)


def _common_length(places: dict[str, int], others: list[str], full: int) -> int:
    """Length of the longest common subsequence: one addition per word on a row of bits (Crochemore et al., 2001)."""
    row = full
    for word in others:
        if word in places:
            both = row & places[word]
            row = (row + both) | (row - both)
    return (~row & full).bit_count()
