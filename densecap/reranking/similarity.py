"""How much a hypothesis says what another sentence says: CIDEr-D of a pair, and mRNN-CR's F-measure of n-grams."""

from __future__ import annotations

import numpy as np

from densecap.metrics.cider import SIGMA
from densecap.metrics.ngrams import MAX_ORDER, Integers
from densecap.reranking.ngram_table import Floats, NgramTable, Products


class Similarity:
    """Compares sentences of a table by their numbers."""

    def __call__(self, hypotheses: Integers, others: Integers) -> Floats:
        """Sentences (H,) and (R,) -> similarities (H, R)."""
        raise NotImplementedError


class CiderSimilarity(Similarity):
    """CIDEr-D of the pair, the hypothesis as candidate and the other as its only reference (0 to 10).

    ``documents`` (G,): in how many of ``num_documents`` documents each n-gram is. As in the metric, lengths compare as
    numbers of bigrams, and an n-gram in no document weighs as one in a single one.
    """

    def __init__(self, table: NgramTable, documents: Integers, num_documents: int) -> None:
        self.products = Products(table)
        weight = np.log(num_documents) - np.log(np.maximum(documents, 1))  # (G,)
        entry = weight[table.gram]  # (E,)
        place = table.sentence * MAX_ORDER + table.order
        squares = np.bincount(place, table.times * entry**2, len(table) * MAX_ORDER)  # of (sentence, order)
        norm = np.sqrt(squares)[place]
        self.left = np.divide(entry, norm, out=np.zeros_like(entry), where=norm > 0)
        self.right = self.left * table.times
        self.bigrams = np.maximum(table.lengths - 1, 0)

    def __call__(self, hypotheses: Integers, others: Integers) -> Floats:
        cosines = self.products(hypotheses, others, self.left, self.right)  # summed over orders
        excess = self.bigrams[hypotheses][:, None] - self.bigrams[others]
        return 10.0 / MAX_ORDER * cosines * np.exp(-(excess**2) / (2 * SIGMA**2))


class BleuSimilarity(Similarity):
    """What mRNN-CR calls BLEU: the mean over n = 1..4 of the F-measure of clipped n-gram matches (0 to 1).

    ``recall_weight`` is its fpr, 1 for equal weights; F = (fpr + 1) p q / (q + fpr p) with precision p and recall q. 0
    when either sentence has fewer than four words. There is no brevity penalty.
    """

    def __init__(self, table: NgramTable, recall_weight: float = 1.0) -> None:
        self.table, self.recall_weight = table, recall_weight
        self.products = Products(table)
        self.masks = [(table.order == order).astype(np.float64) for order in range(MAX_ORDER)]

    def __call__(self, hypotheses: Integers, others: Integers) -> Floats:
        total = np.zeros((len(hypotheses), len(others)))
        for order, mask in enumerate(self.masks):
            matches = self.products(hypotheses, others, mask, mask)
            precision = matches / self._totals(hypotheses, order)[:, None]
            recall = matches / self._totals(others, order)
            below = recall + self.recall_weight * precision
            above = (self.recall_weight + 1) * precision * recall
            total += np.divide(above, below, out=np.zeros_like(above), where=below > 0)
        long = self.table.lengths >= MAX_ORDER
        return total / MAX_ORDER * long[hypotheses][:, None] * long[others]

    def _totals(self, sentences: Integers, order: int) -> Integers:
        return np.maximum(self.table.lengths[sentences] - order, 1)
