"""Which detections of an image may count, under one convention; words do not matter here.

Only a detection that is the first to claim its truth, and overlaps it enough, can ever be a true positive. Everything
later (words, precision, recall) needs just these few, the scores of all detections and the number of truths.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from densecap.metrics.dense_map.conventions import IOU_THRESHOLDS, Convention
from densecap.metrics.dense_map.geometry import Integers, convention_boxes, merge_truths, overlaps
from densecap.metrics.dense_map.records import DenseRecord, Floats


@dataclass(frozen=True)
class ImageLayout:
    """How D detections of an image lie to its G merged truths; conventions with the same overlap can share it.

    ``scores`` (D,) in the given order, ``order`` (D,) rows by falling score, ``best`` (D,) the truth each overlaps
    most and ``highest`` (D,) by how much, ``groups`` members of each merged truth.
    """

    scores: Floats
    order: Integers
    best: Integers
    highest: Floats
    groups: list[Integers]


@dataclass(frozen=True)
class ImageMatches:
    """Outcome of one image of D detections, P of which may be true positives.

    ``scores`` (D,) in the given order; ``num_truths`` after merging; ``detection`` (P,) rows of the detections,
    ascending; ``truth`` (P,) what they claim, an index into ``ImageLayout.groups``; ``iou`` (P,); ``claims`` (5, P)
    whether the detection counts at each of ``IOU_THRESHOLDS``.
    """

    scores: Floats
    num_truths: int
    detection: Integers
    truth: Integers
    iou: Floats
    claims: NDArray[np.bool_]


def lay_out(record: DenseRecord, convention: Convention) -> ImageLayout:
    """Merge the truths of an image and find each detection's best, in the convention's coordinates."""
    return lay_out_boxes(*convention_boxes(record, convention), record.scores, convention.pixel)


def lay_out_boxes(boxes: Floats, truth_boxes: Floats, scores: Floats, pixel: float) -> ImageLayout:
    """The same for boxes (D, 4) and (M, 4) that are in the convention's coordinates already."""
    merged, groups = merge_truths(truth_boxes, pixel)
    best, highest = _best_truths(overlaps(boxes, merged, pixel))
    return ImageLayout(scores, np.argsort(-scores, kind="stable"), best, highest, groups)


def match_layout(layout: ImageLayout, convention: Convention) -> ImageMatches:
    """Which detections may be true positives by the convention's rules of claiming."""
    best, highest, order, num_truths = layout.best, layout.highest, layout.order, len(layout.groups)
    if convention.claims_below_threshold:
        detection, claims = _claims_at_any_overlap(best, highest, order, num_truths, convention.claims_last_truth)
    else:
        detection, claims = _claims_at_each_threshold(best, highest, order, num_truths)
    return ImageMatches(layout.scores, num_truths, detection, best[detection], highest[detection], claims)


def _best_truths(iou: Floats) -> tuple[Integers, Floats]:
    """Index (D,) of the truth each detection overlaps most, the first of several, and that overlap (D,)."""
    if iou.shape[1] == 0:
        return np.zeros(len(iou), np.int64), np.zeros(len(iou))
    best = iou.argmax(axis=1)
    return best, iou[np.arange(len(iou)), best]


def _first_claimants(claimed: Integers, order: Integers, num_truths: int) -> Integers:
    """Of the detections ``order``, best first, that claim the truths ``claimed``: the first of each truth."""
    first = np.full(num_truths, -1)
    first[claimed[::-1]] = order[::-1]  # of several assignments to one place the last holds
    return first[first >= 0]


def _claims_at_any_overlap(
    best: Integers, highest: Floats, order: Integers, num_truths: int, claims_last: bool
) -> tuple[Integers, NDArray[np.bool_]]:
    if claims_last:
        best = np.where(highest > 0, best, num_truths - 1)
    elif num_truths:
        order = order[highest[order] > 0]
    if num_truths == 0:
        order = order[:0]
    detection = np.sort(_first_claimants(best[order], order, num_truths))
    detection = detection[highest[detection] >= IOU_THRESHOLDS[0]]
    return detection, highest[detection] >= np.array(IOU_THRESHOLDS)[:, None]


def _claims_at_each_threshold(
    best: Integers, highest: Floats, order: Integers, num_truths: int
) -> tuple[Integers, NDArray[np.bool_]]:
    claims = np.zeros((len(IOU_THRESHOLDS), len(best)), bool)
    for row, threshold in zip(claims, IOU_THRESHOLDS):
        order = order[highest[order] >= threshold]
        row[_first_claimants(best[order], order, num_truths)] = True
    detection = np.flatnonzero(claims.any(axis=0))
    return detection, claims[:, detection]
