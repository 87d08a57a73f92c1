"""Retrieval both ways from a matrix of scores, images by sentences: recall@K and median rank.

The rank of a query is that of its first true item: 1 and the number of false items that score at least as much. A tie
so counts against the ranking, never for it: a model that scores everything alike finds nothing, and of two images with
the same sentence neither has it ranked first for sure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.int64]

#: K of recall@K.
DEPTHS = (1, 5, 10)


@dataclass(frozen=True)
class RetrievalScore:
    """``recall`` by K, shares of 1; ``median_rank`` (.5 possible, NaN without queries); ``queries`` and ``candidates``
    count.
    """

    recall: dict[int, float]
    median_rank: float
    queries: int
    candidates: int

    def to_json(self) -> dict[str, float | int]:
        """R@1 ... as plain figures."""
        figures: dict[str, float | int] = {f"R@{depth}": value for depth, value in self.recall.items()}
        return {**figures, "median_rank": self.median_rank, "queries": self.queries, "candidates": self.candidates}


def sentences_from_images(scores: Floats, owners: Sequence[int] | Integers) -> RetrievalScore:
    """Every image asks for one of its own sentences; an image without a sentence asks nothing.

    ``scores`` (I, S), ``owners`` (S,) the image of each sentence. Errors: ValueError for shapes or owners that do not
    fit and scores that are no numbers.
    """
    scores, owners = _checked(scores, owners)
    return score_of_ranks(sentence_ranks(scores, owners), candidates=scores.shape[1])


def images_from_sentences(scores: Floats, owners: Sequence[int] | Integers) -> RetrievalScore:
    """Every sentence asks for its image; arguments and errors as for ``sentences_from_images``."""
    scores, owners = _checked(scores, owners)
    return score_of_ranks(image_ranks(scores, owners), candidates=scores.shape[0])


def sentence_ranks(scores: Floats, owners: Integers) -> Integers:
    """(Q,) rank of the best own sentence of each image that has one, in the order of the images."""
    asking = np.unique(owners)
    ranks = np.zeros(len(asking), np.int64)
    for place, image in enumerate(asking):
        own = owners == image
        ranks[place] = 1 + np.count_nonzero(scores[image][~own] >= scores[image][own].max())
    return ranks


def image_ranks(scores: Floats, owners: Integers) -> Integers:
    """(S,) rank of each sentence's image."""
    if not len(owners):
        return np.zeros(0, np.int64)
    own = scores[owners, np.arange(len(owners))]  # (S,)
    return np.count_nonzero(scores >= own, axis=0)  # its own image is among them


def score_of_ranks(ranks: Integers, candidates: int, depths: Sequence[int] = DEPTHS) -> RetrievalScore:
    """Recall and median of ranks (Q,) that count from 1 among so many candidates."""
    recall = {depth: float(np.mean(ranks <= depth)) if len(ranks) else 0.0 for depth in depths}
    median = float(np.median(ranks)) if len(ranks) else float("nan")
    return RetrievalScore(recall, median, len(ranks), candidates)


def _checked(scores: Floats, owners: Sequence[int] | Integers) -> tuple[Floats, Integers]:
    scores, owners = np.asarray(scores), np.asarray(owners, np.int64)
    if scores.ndim != 2 or owners.shape != scores.shape[1:]:
        raise ValueError(f"scores (I, S) need owners (S,), got {scores.shape} and {owners.shape}")
    if len(owners) and not (owners.min() >= 0 and owners.max() < len(scores)):
        raise ValueError(f"owners are images 0 to {len(scores) - 1}, got {owners.min()} to {owners.max()}")
    if np.isnan(scores).any():
        raise ValueError("scores must be numbers, some are NaN")
    return scores, owners
