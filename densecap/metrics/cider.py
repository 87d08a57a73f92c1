"""CIDEr-D exactly as the COCO caption evaluation (pycocoevalcap 1.2) computes it, there called CIDEr.

Kept from it: the length penalty compares numbers of bigrams; document frequencies come from the evaluated references,
log N from the number of images, so a single image scores 0. Frequencies of a fixed reference set (say, of the training
captions, so that figures of small subsets compare) can be given instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from densecap.metrics.ngrams import MAX_ORDER, CaptionNgrams, Integers, Runs, count_ngrams

#: Of the penalty for another length.
SIGMA = 6.0


@dataclass(frozen=True)
class CiderScore:
    """``corpus`` the mean over images (0 for none), ``images`` (N,)."""

    corpus: float
    images: NDArray[np.float64]


@dataclass(frozen=True)
class DocumentFrequencies:
    """In how many of ``num_images`` images some reference has an n-gram; made by ``document_frequencies``."""

    num_images: int
    vocabulary: dict[str, int]
    keys: tuple[Integers, ...]
    frequencies: tuple[Integers, ...]


def document_frequencies(references: Sequence[Sequence[str]]) -> DocumentFrequencies:
    """Document frequencies of the n-grams of a reference set: per image its captions as words between spaces."""
    ngrams = count_ngrams([""] * len(references), references)
    frequencies = tuple(_frequencies(runs, ngrams) for runs in ngrams.orders)
    return DocumentFrequencies(len(ngrams), ngrams.vocabulary, tuple(runs.keys for runs in ngrams.orders), frequencies)


def cider(
    candidates: Sequence[str], references: Sequence[Sequence[str]], fixed: DocumentFrequencies | None = None
) -> CiderScore:
    """CIDEr-D of N candidates against the references of each, all given as words between spaces.

    ``fixed`` document frequencies replace those of ``references``. Errors: ValueError when the two sequences differ in
    length or an image has no reference.
    """
    return cider_of_ngrams(count_ngrams(candidates, references), fixed)


def cider_of_ngrams(ngrams: CaptionNgrams, fixed: DocumentFrequencies | None = None) -> CiderScore:
    """CIDEr-D of counted captions (counting is most of the work, and BLEU can share it)."""
    if len(ngrams) == 0:
        return CiderScore(0.0, np.zeros(0))
    log_images = np.log(fixed.num_images if fixed else len(ngrams))
    similarity = np.zeros(len(ngrams.lengths))  # (S,) of each reference, summed over orders
    for index, runs in enumerate(ngrams.orders):
        known = frequencies_in(runs, index + 1, ngrams, fixed) if fixed else _frequencies(runs, ngrams)
        weight = runs.times * (log_images - np.log(np.maximum(known, 1)))[runs.gram]
        similarity += _similarity(runs, weight, ngrams)
    bigrams = np.maximum(ngrams.lengths - 1, 0)
    excess = bigrams[ngrams.candidate][ngrams.image] - bigrams
    similarity *= np.exp(-(excess**2) / (2 * SIGMA**2))
    similarity[ngrams.candidate] = 0
    num_references = np.bincount(ngrams.image) - 1
    images = 10.0 / MAX_ORDER * np.bincount(ngrams.image, similarity) / num_references
    return CiderScore(float(images.mean()), images)


def _similarity(runs: Runs, weight: NDArray[np.float64], ngrams: CaptionNgrams) -> NDArray[np.float64]:
    """(S,) clipped cosine of every sentence with its image's candidate, for one order."""
    squares = np.bincount(runs.sentence, weight**2, len(ngrams.lengths))
    norm = np.sqrt(squares)
    image = ngrams.image[runs.sentence]
    is_candidate = ngrams.candidate[image] == runs.sentence
    new_group = np.ones(len(image), bool)
    new_group[1:] = (image[1:] != image[:-1]) | (runs.gram[1:] != runs.gram[:-1])
    start = np.flatnonzero(new_group)
    group = np.cumsum(new_group) - 1
    shared = np.flatnonzero(is_candidate[start][group] & ~is_candidate)  # references' n-grams that the candidate has
    own, other = weight[start[group[shared]]], weight[shared]
    product = np.bincount(runs.sentence[shared], np.minimum(own, other) * other, len(norm))
    scale = norm * norm[ngrams.candidate][ngrams.image]
    return np.divide(product, scale, out=np.zeros(len(scale)), where=scale != 0)


def _frequencies(runs: Runs, ngrams: CaptionNgrams) -> Integers:
    """(G,) number of images with a reference that has the n-gram."""
    image = ngrams.image[runs.sentence]
    reference = np.flatnonzero(ngrams.candidate[image] != runs.sentence)
    gram, image = runs.gram[reference], image[reference]
    new = np.ones(len(reference), bool)
    new[1:] = (gram[1:] != gram[:-1]) | (image[1:] != image[:-1])
    return np.bincount(gram[new], minlength=len(runs.keys))


def frequencies_in(runs: Runs, order: int, ngrams: CaptionNgrams, fixed: DocumentFrequencies) -> Integers:
    """(G,) frequencies of counted n-grams in a fixed set, 0 for one that is not in it; looked up word by word."""
    numbers = np.array([fixed.vocabulary.get(word, -1) for word in ngrams.vocabulary], np.int64)
    gram = np.zeros(len(runs.keys), np.int64)  # number of the first words in the fixed set, -1 when it has none such
    for index in range(order):
        word = numbers[ngrams.words[runs.example + index]]
        wanted = np.where((gram >= 0) & (word >= 0), gram * len(fixed.vocabulary) + word, -1)
        keys = np.append(fixed.keys[index], np.iinfo(np.int64).max)
        place = np.searchsorted(keys, wanted)
        gram = np.where(keys[place] == wanted, place, -1)
    return np.where(gram >= 0, np.append(fixed.frequencies[order - 1], 0)[gram], 0)
