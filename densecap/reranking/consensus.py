"""Consensus re-ranking by the captions of similar training images (m-RNN section 8, as mRNN-CR does it)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from densecap.errors import UserError
from densecap.metrics.cider import document_frequencies
from densecap.reranking.choice import Ranked, Reranker, by_score
from densecap.reranking.neighbours import nearest
from densecap.reranking.ngram_table import Floats, NgramTable, documents_in, ngram_table
from densecap.reranking.similarity import BleuSimilarity, CiderSimilarity, Similarity

#: Captions that count of those of the neighbours, by similarity: what mRNN-CR was set to.
COUNTED = {"cider": 125, "bleu": 175}


class Consensus(Reranker):
    """Scores a hypothesis by how much it says what people said of the nearest training images.

    ``features`` (T, F) and ``captions`` (T lists, words between spaces) are those of the training images; the pool of
    an image are all captions of its ``num_neighbours`` nearest, and a hypothesis' score the sum of its
    ``num_counted`` largest similarities to them (None: 125 of "cider", 175 of "bleu"). CIDEr-D's document frequencies
    are those of the training captions, a document being the captions of an image.

    Errors: UserError for a similarity that does not exist, numbers below 1, or features that do not fit.
    """

    needs_features = True

    def __init__(
        self,
        features: Tensor,
        captions: Sequence[Sequence[str]],
        similarity: str = "cider",
        num_neighbours: int = 60,
        num_counted: int | None = None,
    ) -> None:
        if similarity not in COUNTED:
            raise UserError(f"rerank.similarity is one of {', '.join(COUNTED)}, got {similarity}")
        if num_neighbours < 1 or (num_counted is not None and num_counted < 1):
            raise UserError("rerank.num_neighbours and rerank.num_counted are whole numbers above 0")
        if len(features) != len(captions) or not len(captions):
            raise UserError(
                f"re-ranking needs a feature for each training image, got {len(features)} for {len(captions)} images"
            )
        self.features, self.captions, self.similarity = features, captions, similarity
        self.num_neighbours, self.num_counted = num_neighbours, num_counted or COUNTED[similarity]
        self.frequencies = document_frequencies([own or [""] for own in captions]) if similarity == "cider" else None

    def rank(self, hypotheses: Sequence[Sequence[str]], features: Tensor | None = None) -> list[Ranked]:
        if features is None or features.shape != (len(hypotheses), self.features.shape[1]):
            shape = None if features is None else tuple(features.shape)
            raise ValueError(f"consensus needs features ({len(hypotheses)}, {self.features.shape[1]}), got {shape}")
        neighbours = nearest(features, self.features, self.num_neighbours).numpy()  # (N, k)
        used, place = np.unique(neighbours, return_inverse=True)
        pools = [self.captions[image] for image in used.tolist()]
        table = ngram_table([text for own in (*hypotheses, *pools) for text in own])
        bounds = np.cumsum([0, *(len(own) for own in (*hypotheses, *pools))])
        rows = [np.arange(start, end) for start, end in zip(bounds, bounds[1:])]  # of each list in the table
        compare, ranked = self._similarity(table), []
        for image, own in enumerate(place.reshape(neighbours.shape)):
            pool = np.concatenate([rows[len(hypotheses) + number] for number in own])
            ranked.append(by_score(sum_of_largest(compare(rows[image], pool), self.num_counted)))
        return ranked

    def _similarity(self, table: NgramTable) -> Similarity:
        if self.frequencies is None:
            return BleuSimilarity(table)
        return CiderSimilarity(table, documents_in(table, self.frequencies), self.frequencies.num_images)


def sum_of_largest(values: Floats, count: int) -> Floats:
    """(H, R) -> (H,), the sum of each row's ``count`` largest, of all when there are fewer."""
    if values.shape[1] > count:
        values = np.partition(values, values.shape[1] - count, axis=1)[:, -count:]
    return values.sum(axis=1)
