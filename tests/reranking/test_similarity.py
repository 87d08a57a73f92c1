"""Similarities of pairs against the metric and against loops over Counters."""

import math

import numpy as np
import pytest

from densecap.metrics.cider import cider, document_frequencies
from densecap.reranking.ngram_table import document_counts, documents_in, ngram_table
from densecap.reranking.similarity import BleuSimilarity, CiderSimilarity
from tests.fakes.caption_pairs import f_measure, random_sentences


def test_cider_is_the_metric_with_a_single_reference():
    training = [random_sentences(3, seed) for seed in range(8)]
    hypotheses, others = random_sentences(6, 20), random_sentences(9, 21)
    table = ngram_table([*hypotheses, *others])
    fixed = document_frequencies(training)
    found = CiderSimilarity(table, documents_in(table, fixed), 8)(np.arange(6), np.arange(6, 15))
    expected = [[cider([h], [[other]], fixed).corpus for other in others] for h in hypotheses]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert found.max() > 1


def test_documents_count_once_however_often_they_say_it():
    table = ngram_table(["a a a", "a b", "b", "a"])
    counts = document_counts(table, np.array([0, 0, 1, 2]))
    by_word = {}
    for sentence, gram, order in zip(table.sentence, table.gram, table.order):
        if order == 0:
            by_word.setdefault(int(gram), set()).add(int(sentence))
    a = next(gram for gram, owners in by_word.items() if owners == {0, 1, 3})
    b = next(gram for gram, owners in by_word.items() if owners == {1, 2})
    assert (counts[a], counts[b]) == (2, 2)


@pytest.mark.parametrize("weight", [1.0, 3.0])
def test_f_measure_of_pairs(weight):
    hypotheses, others = random_sentences(12, 30), random_sentences(15, 31)
    table = ngram_table([*hypotheses, *others])
    found = BleuSimilarity(table, weight)(np.arange(12), np.arange(12, 27))
    expected = [[f_measure(h, other, weight) for other in others] for h in hypotheses]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert found.max() > 0.3


def test_f_measure_by_hand():
    table = ngram_table(["a b c d", "a b c e f", "a b c"])
    found = BleuSimilarity(table)(np.array([0]), np.array([1, 2]))
    # words 3/4 and 3/5, bigrams 2/3 and 2/4, trigrams 1/2 and 1/3, no common run of four
    by_order = [2 * 3 / 9, 2 * 2 / 7, 2 * 1 / 5, 0]
    assert math.isclose(found[0, 0], sum(by_order) / 4)
    assert found[0, 1] == 0  # too short


def test_repeated_words_count_as_often_as_both_have_them():
    table = ngram_table(["a a a b", "a a c c"])
    found = BleuSimilarity(table)(np.array([0]), np.array([1]))
    by_order = [2 * 2 / 8, 2 * 1 / 6, 0, 0]
    assert math.isclose(found[0, 0], sum(by_order) / 4)


def test_no_sentences():
    table = ngram_table([])
    assert len(table) == 0
    assert CiderSimilarity(table, document_counts(table, np.zeros(0, np.int64)), 1)(
        np.zeros(0, np.int64), np.zeros(0, np.int64)
    ).shape == (0, 0)
