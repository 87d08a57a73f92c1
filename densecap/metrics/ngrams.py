"""Counting the n-grams of many captions at once: what BLEU and CIDEr share.

Words become integers, an n-gram is the pair (number of its first n - 1 words, last word), and one sort of packed
integers per order brings equal n-grams together, within each the sentences in order. Sentences are numbered image by
image, the candidate before its references, so everything a score needs lies side by side.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, count

import numpy as np
from numpy.typing import NDArray

MAX_ORDER = 4

#: So many bits of an integer may hold a key and its place.
PACKED_BITS = 62

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Runs:
    """The n-grams of one order; one run per distinct (n-gram, sentence), sorted by n-gram, then sentence.

    ``gram``, ``sentence``, ``times`` (K,): which n-gram, where, how often. ``keys`` (G,) ascending: what the n-grams
    0..G-1 are, the number of the leading n - 1 words times the vocabulary size plus the last word. ``example`` (G,):
    where in the stream of words each occurs.
    """

    gram: Integers
    sentence: Integers
    times: Integers
    keys: Integers
    example: Integers


@dataclass(frozen=True)
class CaptionNgrams:
    """All n-grams of orders 1..4 of N images with a candidate and references each, S sentences in all.

    ``words`` (W,) word numbers of all sentences in a row, ``vocabulary`` what they mean, ``lengths`` (S,) words of a
    sentence, ``image`` (S,) whose it is, ``candidate`` (N,) the sentence that is the image's candidate.
    """

    words: Integers
    vocabulary: dict[str, int]
    lengths: Integers
    image: Integers
    candidate: Integers
    orders: tuple[Runs, ...]

    def __len__(self) -> int:
        return len(self.candidate)


def count_ngrams(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> CaptionNgrams:
    """Count the n-grams of N candidates and their references, all given as words between spaces.

    Errors: ValueError when the two differ in length or an image has no reference.
    """
    check_captions(candidates, references)
    sizes = np.fromiter(map(len, references), np.int64, len(references)) + 1
    sentences = chain.from_iterable((candidate, *own) for candidate, own in zip(candidates, references))
    split = [sentence.split() for sentence in sentences]
    lengths = np.fromiter(map(len, split), np.int64, len(split))
    vocabulary: defaultdict[str, int] = defaultdict(count().__next__)
    numbers = map(vocabulary.__getitem__, chain.from_iterable(split))
    words = np.fromiter(numbers, np.int64, int(lengths.sum()))
    del split
    image = np.repeat(np.arange(len(sizes)), sizes)
    orders = _count_orders(words, lengths, len(vocabulary))
    return CaptionNgrams(words, dict(vocabulary), lengths, image, np.cumsum(sizes) - sizes, orders)


def check_captions(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> None:
    """Errors: ValueError when there are not as many reference lists as candidates, or one of them is empty."""
    if len(candidates) != len(references):
        raise ValueError(f"there are {len(candidates)} candidates but references of {len(references)} images")
    for index, own in enumerate(references):
        if len(own) == 0 or isinstance(own, str):
            raise ValueError(f"image {index} needs a non-empty list of references, got {own!r}")


def _count_orders(words: Integers, lengths: Integers, vocabulary_size: int) -> tuple[Runs, ...]:
    sentence = np.repeat(np.arange(len(lengths)), lengths)  # (W,)
    ends = np.cumsum(lengths)
    left = np.repeat(ends, lengths) - np.arange(len(words))  # words from here to the end of the sentence
    number = np.zeros(len(words), np.int64)
    orders = []
    for order in range(1, MAX_ORDER + 1):
        place = np.flatnonzero(left >= order)
        keys = number[place] * vocabulary_size + words[place + order - 1]
        runs, grams = _runs(keys, place, sentence)
        number[place] = grams
        orders.append(runs)
    return tuple(orders)


def _runs(keys: Integers, place: Integers, sentence: Integers) -> tuple[Runs, Integers]:
    """Runs of the n-grams that begin at ``place`` (P,), and the number of each of these n-grams (P,)."""
    order, keys = _sorted_with_order(keys)
    new_gram = np.ones(len(keys), bool)
    new_gram[1:] = keys[1:] != keys[:-1]
    gram = np.cumsum(new_gram) - 1
    home = sentence[place[order]]
    new_run = new_gram.copy()
    new_run[1:] |= home[1:] != home[:-1]
    start = np.flatnonzero(new_run)
    times = np.diff(start, append=len(keys))
    grams = np.empty_like(gram)
    grams[order] = gram
    return Runs(gram[start], home[start], times, keys[new_gram], place[order[new_gram]]), grams


def _sorted_with_order(keys: Integers) -> tuple[Integers, Integers]:
    """A stable ``argsort`` and the sorted keys; packing both into one integer is several times faster."""
    bits = max(len(keys), 1).bit_length()
    if len(keys) and int(keys.max()).bit_length() + bits > PACKED_BITS:
        order = np.argsort(keys, kind="stable")
        return order, keys[order]
    packed = np.sort((keys << bits) | np.arange(len(keys)))
    return packed & ((1 << bits) - 1), packed >> bits
