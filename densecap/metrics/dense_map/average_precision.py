"""Average precision from the ranks of the true positives alone."""

from __future__ import annotations

import numpy as np

from densecap.metrics.dense_map.geometry import Integers
from densecap.metrics.dense_map.records import Floats


def ranks_of(scores: Floats) -> Integers:
    """Rank (D,) of every detection, 1 the highest score; of equal scores the earlier ranks higher."""
    ranks = np.empty(len(scores), np.int64)
    ranks[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
    return ranks


def interpolated_precision(ranks: Integers, num_truths: int, levels: Floats) -> Floats:
    """Highest precision (L,) that is reached at each recall level or beyond it, 0 where no recall reaches.

    ``ranks`` (P,) of the true positives, ascending: at the i-th of them precision is i / rank and recall
    i / ``num_truths``; between them precision only falls. NaN when there are no truths.
    """
    if num_truths == 0:
        return np.full(len(levels), np.nan)
    found = np.arange(1, len(ranks) + 1)
    best_from_here = np.maximum.accumulate((found / ranks)[::-1])[::-1]
    first = np.searchsorted(found / num_truths, levels)
    return np.append(best_from_here, 0.0)[first]
