"""Random sentences of few words, and a similarity of pairs of them, n-gram by n-gram."""

from collections import Counter

import numpy as np

WORDS = ["a", "dog", "runs", "on", "the", "grass", "red"]


def random_sentences(count, seed, longest=9):
    generator = np.random.default_rng(seed)
    return [" ".join(generator.choice(WORDS, generator.integers(0, longest + 1))) for _ in range(count)]


def grams(sentence, order):
    words = sentence.split()
    return Counter(tuple(words[i : i + order]) for i in range(len(words) - order + 1))


def f_measure(hypothesis, other, weight=1.0):
    """mRNN-CR's similarity, n-gram by n-gram."""
    if min(len(hypothesis.split()), len(other.split())) < 4:
        return 0.0
    total = 0.0
    for order in range(1, 5):
        own, theirs = grams(hypothesis, order), grams(other, order)
        matches = sum((own & theirs).values())
        p, q = matches / sum(own.values()), matches / sum(theirs.values())
        total += (weight + 1) * p * q / (q + weight * p) if matches else 0.0
    return total / 4
