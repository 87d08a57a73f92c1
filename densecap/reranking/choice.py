"""What every re-ranker takes and gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from densecap.reranking.ngram_table import Floats


@dataclass(frozen=True)
class Ranked:
    """Hypotheses of one image by falling score: ``order`` their places in the list given, ``scores`` by that list.

    Of equal scores the one that was generated as the better comes first.
    """

    order: list[int]
    scores: list[float]

    @property
    def best(self) -> int:
        """The place of the one to keep; errors: IndexError when there was no hypothesis."""
        return self.order[0]


class Reranker:
    """Ranks the hypotheses of images, best generated first."""

    #: Whether ``rank`` needs a feature of each image.
    needs_features = False

    def rank(self, hypotheses: Sequence[Sequence[str]], features: Tensor | None = None) -> list[Ranked]:
        """N lists of captions (words between spaces), and (N, F) features where needed -> one ``Ranked`` an image."""
        raise NotImplementedError


def by_score(scores: Floats) -> Ranked:
    """Scores (H,) of hypotheses as they were generated."""
    order = np.argsort(-scores, kind="stable")
    return Ranked(order.tolist(), scores.tolist())
