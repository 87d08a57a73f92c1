"""Where the points of dense captioning mAP are lost: in the words, in the boxes, to false alarms or to missed truths.

Four oracles, each the mean of the same 30 cells had something been perfect:

* words: every detection that claims a truth says the right thing. That is detection mAP;
* boxes: every detection with IoU >= .3 lies exactly on its truth. That is the mean AP of the row IoU .3, since whoever
  is first to claim at .3 is first to claim at all overlaps;
* both: detection AP at IoU .3;
* both, and no false alarm anywhere: precision 1 up to the recall that is reached at IoU .3.

What separates the score from 1 is shared out among four causes. The gain of the first two oracles depends on which
comes first, so each gets the mean of its gain before and after the other (its Shapley value). Moving boxes can now and
then cost a cell something, when a box moved into place comes before a better described one: ``localization`` may then
be a hair below 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from densecap.metrics.dense_map.average_precision import interpolated_precision
from densecap.metrics.dense_map.conventions import convention_of
from densecap.metrics.dense_map.evaluation import DenseScore, JudgedImage


@dataclass(frozen=True)
class Losses:
    """Oracles ``with_words`` ... ``without_false_alarms``, and what is lost; all NaN for a split without truths.

    ``score + language + localization + false_alarms + missed`` is 1.
    """

    score: float
    with_words: float
    with_boxes: float
    with_both: float
    without_false_alarms: float

    @property
    def language(self) -> float:
        return (self.with_words - self.score + self.with_both - self.with_boxes) / 2

    @property
    def localization(self) -> float:
        return (self.with_boxes - self.score + self.with_both - self.with_words) / 2

    @property
    def false_alarms(self) -> float:
        """To detections on nothing, duplicates, and right ones that rank below them."""
        return self.without_false_alarms - self.with_both

    @property
    def missed(self) -> float:
        """To truths that no detection claims at IoU .3."""
        return 1 - self.without_false_alarms


def losses(score: DenseScore, images: Sequence[JudgedImage]) -> Losses:
    """Where the points of ``score`` went, ``images`` being what it was computed from."""
    found = sum(int(image.matches.claims[0].sum()) for image in images)
    flawless = interpolated_precision(np.arange(1, found + 1), score.num_truths, convention_of(score.convention).levels)
    return Losses(
        score.mean_ap,
        with_words=score.detection_mean_ap,
        with_boxes=float(score.ap[0].mean()),
        with_both=float(score.detection_ap[0]),
        without_false_alarms=float(flawless.mean()),
    )
