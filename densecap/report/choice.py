"""Which images of a split are worth looking at."""

from __future__ import annotations

import math
from collections.abc import Sequence


def best_and_worst(scores: Sequence[float], num_truths: Sequence[int], most: int) -> tuple[list[int], list[int]]:
    """Places of the ``most`` best and worst images, the best and the worst first; no image is among both.

    Images without a score (NaN) are left out. Of equal scores the image with more truths comes first on either side,
    then the earlier. Of few images the better half counts as best.
    """
    ranked = [place for place, score in enumerate(scores) if not math.isnan(score)]
    best = sorted(ranked, key=lambda place: (-scores[place], -num_truths[place], place))
    best = best[: min(most, (len(ranked) + 1) // 2)]
    rest = set(ranked) - set(best)
    worst = sorted(rest, key=lambda place: (scores[place], -num_truths[place], place))
    return best, worst[:most]
