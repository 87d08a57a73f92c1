"""Choosing the regions of an image that a training step learns from."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from densecap.ops.boxes import box_iou


class Sample(NamedTuple):
    """Rows of the candidate boxes: ``positive`` (P,), the truth of each ``truth`` (P,), and ``negative`` (Q,)."""

    positive: Tensor
    truth: Tensor
    negative: Tensor


def sample_regions(
    boxes: Tensor,
    truth: Tensor,
    size: int = 256,
    high: float = 0.7,
    low: float = 0.3,
    outside: Tensor | None = None,
    densecap2016: bool = False,
    generator: torch.Generator | None = None,
) -> Sample:
    """Sample ``size`` of the (N, 4) predicted ``boxes`` against the (M, 4) ``truth`` (DenseCap section 3.4).

    Positives overlap a truth by more than ``high``; in addition the best box of every truth is positive. Negatives
    overlap every truth by less than ``low``. At most half are positives, negatives fill up (with repetition when
    there are too few; the complement of the positives when there are none). ``outside`` (N,) bool marks boxes that
    may only be chosen by force. With ``densecap2016`` overlaps are the biased ones of the original, and a box forced
    by one truth is still assigned to the truth it overlaps most.
    """
    count = boxes.shape[0]
    positive, assigned, negative = _label(boxes.detach(), truth, high, low, outside, densecap2016)
    if not bool(negative.any()):
        negative = ~positive
    positive_rows = _choose(positive.nonzero()[:, 0], min(size // 2, count), generator)
    negative_rows = _fill(negative.nonzero()[:, 0], size - len(positive_rows), generator)
    return Sample(positive_rows, assigned[positive_rows], negative_rows)


def _label(
    boxes: Tensor, truth: Tensor, high: float, low: float, outside: Tensor | None, densecap2016: bool
) -> tuple[Tensor, Tensor, Tensor]:
    count = boxes.shape[0]
    if truth.shape[0] == 0:
        none = torch.zeros(count, dtype=torch.bool, device=boxes.device)
        negative = ~none if outside is None else ~outside
        return none, torch.zeros(count, dtype=torch.int64, device=boxes.device), negative
    iou = box_iou(truth, boxes, shrink=1.0 if densecap2016 else 0.0)  # (M, N)
    best, assigned = iou.max(dim=0)
    positive, negative = best > high, best < low
    if outside is not None:
        positive, negative = positive & ~outside, negative & ~outside
    forced_iou, forced = iou.max(dim=1)  # (M,)
    if not densecap2016:
        touching = forced_iou > 0
        forced = forced[touching]
        assigned = assigned.index_put((forced,), touching.nonzero()[:, 0])
    positive = positive.index_fill(0, forced, True)
    negative = negative.index_fill(0, forced, False)
    return positive, assigned, negative


def _choose(rows: Tensor, count: int, generator: torch.Generator | None) -> Tensor:
    """``count`` of the rows at random without repetition, or all when there are fewer."""
    if len(rows) <= count:
        return rows
    return rows[torch.randperm(len(rows), generator=generator)[:count].to(rows.device)]


def _fill(rows: Tensor, count: int, generator: torch.Generator | None) -> Tensor:
    """``count`` of the rows at random, with repetition only when there are fewer; none when there are none."""
    if len(rows) >= count or len(rows) == 0:
        return _choose(rows, count, generator)
    return rows[torch.randint(len(rows), (count,), generator=generator).to(rows.device)]
