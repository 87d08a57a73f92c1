"""Minimum Bayes risk: the hypothesis that agrees most with the other hypotheses. Needs nothing but their words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from densecap.metrics.cider import DocumentFrequencies
from densecap.reranking.choice import Ranked, Reranker, by_score
from densecap.reranking.ngram_table import NgramTable, document_counts, documents_in, ngram_table
from densecap.reranking.similarity import CiderSimilarity


class MinimumBayesRisk(Reranker):
    """Scores a hypothesis by its mean CIDEr-D to the image's other hypotheses, as if each were as likely to be right.

    Words that are common weigh little. What is common is said by ``frequencies``, say of the training captions, or else
    by the hypotheses of all N images given: an n-gram in those of d images weighs log((N + 1) / d). The 1 lets words
    weigh alike, instead of nothing, when there is a single image. A hypothesis without others scores 0.
    """

    def __init__(self, frequencies: DocumentFrequencies | None = None) -> None:
        self.frequencies = frequencies

    def rank(self, hypotheses: Sequence[Sequence[str]], features: Tensor | None = None) -> list[Ranked]:
        table = ngram_table([text for own in hypotheses for text in own])
        sizes = [len(own) for own in hypotheses]
        similarity = self._similarity(table, sizes)
        ranked, start = [], 0
        for size in sizes:
            rows = np.arange(start, start + size)
            likeness = similarity(rows, rows)  # (H, H)
            np.fill_diagonal(likeness, 0)
            ranked.append(by_score(likeness.sum(axis=1) / max(size - 1, 1)))
            start += size
        return ranked

    def _similarity(self, table: NgramTable, sizes: list[int]) -> CiderSimilarity:
        if self.frequencies is not None:
            return CiderSimilarity(table, documents_in(table, self.frequencies), self.frequencies.num_images)
        documents = document_counts(table, np.repeat(np.arange(len(sizes)), sizes))
        return CiderSimilarity(table, documents, len(sizes) + 1)
