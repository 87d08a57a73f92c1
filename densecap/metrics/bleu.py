"""BLEU-1 to BLEU-4 exactly as the COCO caption evaluation (pycocoevalcap 1.2) computes them.

Corpus BLEU with one candidate and any number of references an image: counts clipped by the largest count in any
reference, "closest" reference length (the shorter of two equally close), and its smoothing, 1e-15 added to matches and
1e-9 to totals, so a caption without a single 4-gram has a BLEU-4 just above 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from densecap.metrics.ngrams import MAX_ORDER, CaptionNgrams, Integers, Runs, count_ngrams

_TINY, _SMALL = 1e-15, 1e-9


@dataclass(frozen=True)
class BleuStatistics:
    """Integer counts of N images, enough for their BLEU and, summed, for that of the corpus.

    ``matches`` and ``totals`` (N, 4) clipped matches and n-grams of orders 1..4 in the candidate, ``candidate_length``
    and ``reference_length`` (N,) in words.
    """

    matches: Integers
    totals: Integers
    candidate_length: Integers
    reference_length: Integers


@dataclass(frozen=True)
class BleuScore:
    """``corpus`` (4,) and ``images`` (N, 4): BLEU-1 to BLEU-4."""

    corpus: NDArray[np.float64]
    images: NDArray[np.float64]


def bleu(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> BleuScore:
    """BLEU of N candidates against the references of each, all given as words between spaces.

    Errors: ValueError when the two differ in length or an image has no reference.
    """
    return bleu_of_ngrams(count_ngrams(candidates, references))


def bleu_of_ngrams(ngrams: CaptionNgrams) -> BleuScore:
    """BLEU of counted captions (counting is most of the work, and CIDEr can share it)."""
    return bleu_of_statistics(bleu_statistics(ngrams))


def bleu_of_statistics(statistics: BleuStatistics) -> BleuScore:
    """BLEU of the corpus and of each image from its counts; (0, 0, 0, 0) for a corpus of no images."""
    corpus = BleuStatistics(
        statistics.matches.sum(0, keepdims=True),
        statistics.totals.sum(0, keepdims=True),
        statistics.candidate_length.sum(keepdims=True),
        statistics.reference_length.sum(keepdims=True),
    )
    return BleuScore(_scores(corpus)[0], _scores(statistics))


def bleu_statistics(ngrams: CaptionNgrams) -> BleuStatistics:
    """The counts that BLEU is made of."""
    lengths = ngrams.lengths[ngrams.candidate]  # (N,)
    orders = np.arange(MAX_ORDER)
    return BleuStatistics(
        np.stack([_clipped_matches(runs, ngrams) for runs in ngrams.orders], axis=1),
        np.maximum(lengths[:, None] - orders, 0),
        lengths,
        _closest_lengths(ngrams),
    )


def _clipped_matches(runs: Runs, ngrams: CaptionNgrams) -> Integers:
    """(N,) matches of one order. A run of the candidate is followed by those of its image's references."""
    image = ngrams.image[runs.sentence]
    new_group = np.ones(len(image), bool)
    new_group[1:] = (image[1:] != image[:-1]) | (runs.gram[1:] != runs.gram[:-1])
    start = np.flatnonzero(new_group)
    if len(start) == 0:
        return np.zeros(len(ngrams), np.int64)
    is_candidate = ngrams.candidate[image] == runs.sentence
    most = np.maximum.reduceat(np.where(is_candidate, 0, runs.times), start)  # in any reference
    first = is_candidate[start]
    matches = np.minimum(runs.times[start[first]], most[first])
    return np.bincount(image[start[first]], matches, len(ngrams)).astype(np.int64)


def _closest_lengths(ngrams: CaptionNgrams) -> Integers:
    """(N,) length of the reference closest in length to the candidate, of two as close the shorter."""
    if len(ngrams) == 0:
        return np.zeros(0, np.int64)
    difference = np.abs(ngrams.lengths - ngrams.lengths[ngrams.candidate][ngrams.image])
    ranked = difference * (int(ngrams.lengths.max()) + 1) + ngrams.lengths
    ranked[ngrams.candidate] = np.iinfo(np.int64).max
    return np.minimum.reduceat(ranked, ngrams.candidate) % (int(ngrams.lengths.max()) + 1)


def _scores(statistics: BleuStatistics) -> NDArray[np.float64]:
    """(..., 4) BLEU of each row of counts."""
    precision = (statistics.matches + _TINY) / (statistics.totals + _SMALL)
    scores = np.cumprod(precision, axis=1) ** (1.0 / np.arange(1, MAX_ORDER + 1))
    ratio = (statistics.candidate_length + _TINY) / (statistics.reference_length + _SMALL)
    penalty = np.exp(np.minimum(1.0 - 1.0 / ratio, 0.0))
    return scores * penalty[:, None]
