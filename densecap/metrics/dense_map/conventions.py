"""The three ways dense captioning mAP is computed, by name.

| | ``densecap2016`` | ``densecap_pytorch`` | ``standard`` |
|---|---|---|---|
| whose | jcjohnson/densecap (Lua) | its port in soloist97/densecap-pytorch | this project's |
| overlap | inclusive pixels, widths x2 - x1 + 1 | plain IoU | plain IoU |
| recall levels | 100: 0, then .01 added up as a float | 100: 0, .01, ..., .99 | 101: 0, .01, ..., 1 |
| a detection claims its best truth | at any overlap | at any overlap | at the threshold in question |
| overlapping nothing, it claims | the last truth of the image | nothing | nothing |
| truth boxes | rounded in the image of side 720 | original pixels | original pixels |
| references | words outside the vocabulary become <UNK> | as annotated | as annotated |

In all of them detections claim in order of score, whatever their words; a truth once claimed makes every later claimant
false; truths that overlap by .7 or more are one truth with several references; scores tied keep their order.

The port's own script decodes references from its vocabulary and leaves unknown words out of both sides before it calls
its evaluator; the evaluator, which is what others copied, takes texts as they are given, and so does this.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from densecap.errors import UserError

#: Overlaps a true positive must reach.
IOU_THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7)
#: METEOR scores a true positive must exceed; detection alone is judged as if the threshold were -1.
METEOR_THRESHOLDS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25)
#: Overlap from which truths are merged.
MERGE_IOU = 0.7


@dataclass(frozen=True)
class Convention:
    """One column of the table above. ``pixel`` is what a width exceeds x2 - x1 by, 0 or 1."""

    name: str
    pixel: float
    recall_levels: tuple[float, ...]
    claims_below_threshold: bool
    claims_last_truth: bool
    image_size: int | None
    maps_to_vocabulary: bool

    @property
    def levels(self) -> NDArray[np.float64]:
        return np.array(self.recall_levels)


def _added_up(step: float) -> tuple[float, ...]:
    """0, step, step + step, ... as long as the sum is at most 1: for .01 the last is a hair above .99."""
    levels, level = [], 0.0
    while level <= 1:
        levels.append(level)
        level += step
    return tuple(levels)


CONVENTIONS = {
    "densecap2016": Convention(
        "densecap2016",
        pixel=1.0,
        recall_levels=_added_up(0.01),
        claims_below_threshold=True,
        claims_last_truth=True,
        image_size=720,
        maps_to_vocabulary=True,
    ),
    "densecap_pytorch": Convention(
        "densecap_pytorch",
        pixel=0.0,
        recall_levels=tuple(index / 100 for index in range(100)),
        claims_below_threshold=True,
        claims_last_truth=False,
        image_size=None,
        maps_to_vocabulary=False,
    ),
    "standard": Convention(
        "standard",
        pixel=0.0,
        recall_levels=tuple(index / 100 for index in range(101)),
        claims_below_threshold=False,
        claims_last_truth=False,
        image_size=None,
        maps_to_vocabulary=False,
    ),
}


def convention_of(name: str) -> Convention:
    """The convention of that name; errors: UserError for one that does not exist."""
    if name not in CONVENTIONS:
        raise UserError(f"a convention of dense mAP is one of {', '.join(CONVENTIONS)}, got {name}")
    return CONVENTIONS[name]
