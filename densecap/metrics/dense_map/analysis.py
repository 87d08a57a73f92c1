"""What became of every box and every truth of an image, at one overlap and one language score.

A detection is the first of these that holds, at IoU ``i`` (.5) and METEOR ``m`` (.15):

| fate | the detection |
|---|---|
| right | claims its truth with IoU >= i and METEOR > m |
| wrong words | claims its truth with IoU >= i, but METEOR <= m |
| duplicate | overlaps its best truth with IoU >= i, which another detection has claimed |
| poor box | overlaps its best truth with .1 <= IoU < i |
| background | overlaps no truth with IoU >= .1 |

and a merged truth the first of these:

| fate | the truth |
|---|---|
| described | is claimed by a right detection |
| wrong words | is claimed by a detection with wrong words |
| neighbour | has a detection with IoU >= i, but all of these fit another truth better |
| poor box | has a detection with IoU >= .1 |
| missed | has none |

Who claims what is the convention's matter, see ``conventions``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from densecap.metrics.dense_map.average_precision import interpolated_precision, ranks_of
from densecap.metrics.dense_map.conventions import IOU_THRESHOLDS, METEOR_THRESHOLDS, convention_of
from densecap.metrics.dense_map.evaluation import JudgedImage
from densecap.metrics.dense_map.geometry import Integers, convention_boxes, merge_truths, overlaps
from densecap.metrics.dense_map.records import DenseRecord, Floats

DETECTION_FATES = ("right", "wrong words", "duplicate", "poor box", "background")
TRUTH_FATES = ("described", "wrong words", "neighbour", "poor box", "missed")
#: Overlap below which a detection has nothing to do with a truth.
TOUCHING_IOU = 0.1
#: The cell of the 30 at which fates are told.
FATE_IOU, FATE_METEOR = 0.5, 0.15


@dataclass(frozen=True)
class ImageFates:
    """Fates of D detections and G merged truths of an image.

    ``detections`` (D,) index into ``DETECTION_FATES`` and ``truths`` (G,) into ``TRUTH_FATES``; ``best`` (D,) the truth
    each detection overlaps most, an index into ``groups``, and ``iou`` (D,) by how much; ``claimed`` (D,) the truth a
    detection claims or -1; ``meteor`` (D,) of those that claim one, else NaN; ``groups`` G members of merged truths.
    """

    detections: Integers
    truths: Integers
    best: Integers
    iou: Floats
    claimed: Integers
    meteor: Floats
    groups: list[Integers]


def image_fates(
    record: DenseRecord,
    judged: JudgedImage,
    convention: str,
    iou_threshold: float = FATE_IOU,
    meteor_threshold: float = FATE_METEOR,
) -> ImageFates:
    """What became of the boxes of one image, ``judged`` being the same image under that convention.

    ``iou_threshold`` is one of ``IOU_THRESHOLDS``. Errors: UserError for an unknown convention.
    """
    rules = convention_of(convention)
    boxes, truth_boxes = convention_boxes(record, rules)
    merged, groups = merge_truths(truth_boxes, rules.pixel)
    iou = overlaps(boxes, merged, rules.pixel)
    best = iou.argmax(axis=1) if len(groups) else np.zeros(len(boxes), np.int64)
    highest = iou[np.arange(len(boxes)), best] if len(groups) else np.zeros(len(boxes))
    counted = judged.matches.claims[IOU_THRESHOLDS.index(iou_threshold)]
    claimants, truths = judged.matches.detection[counted], judged.matches.truth[counted]
    claimed, meteor = np.full(len(boxes), -1), np.full(len(boxes), np.nan)
    claimed[claimants], meteor[claimants] = truths, judged.meteor[counted]
    right = judged.meteor[counted] > meteor_threshold

    detections = np.where(highest >= iou_threshold, 2, np.where(highest >= TOUCHING_IOU, 3, 4))
    detections[claimants] = np.where(right, 0, 1)
    nearest = iou.max(axis=0, initial=0.0)
    fates = np.where(nearest >= iou_threshold, 2, np.where(nearest >= TOUCHING_IOU, 3, 4))
    fates[truths] = np.where(right, 0, 1)
    return ImageFates(detections, fates, best, highest, claimed, meteor, groups)


def count_fates(images: Iterable[ImageFates]) -> tuple[Integers, Integers]:
    """How many detections (5,) and truths (5,) of a split met each fate."""
    detections, truths = np.zeros(len(DETECTION_FATES), np.int64), np.zeros(len(TRUTH_FATES), np.int64)
    for image in images:
        detections += np.bincount(image.detections, minlength=len(detections))
        truths += np.bincount(image.truths, minlength=len(truths))
    return detections, truths


def fates_by_rank(records: Sequence[DenseRecord], images: Sequence[ImageFates], starts: Sequence[int]) -> Integers:
    """Detections (len(starts), 5) by their rank within their image, 1 the best: from each start up to the next."""
    counts = np.zeros((len(starts), len(DETECTION_FATES)), np.int64)
    for record, image in zip(records, images):
        order = np.argsort(-record.scores, kind="stable")
        rows = np.searchsorted(starts, np.arange(1, len(order) + 1), side="right") - 1
        np.add.at(counts, (rows, image.detections[order]), 1)
    return counts


def image_mean_ap(image: JudgedImage, convention: str) -> float:
    """Dense captioning mAP of one image alone, as if it were the split; NaN without truths.

    The same as ``dense_score([image], convention).mean_ap``, but cells with the same hits are computed once.
    """
    matches, levels = image.matches, convention_of(convention).levels
    ranks = ranks_of(matches.scores)[matches.detection]
    order = np.argsort(ranks)
    well_said = image.meteor[order] > np.array(METEOR_THRESHOLDS)[:, None]  # (6, P)
    hits = (matches.claims[:, None, order] & well_said).reshape(len(IOU_THRESHOLDS) * len(well_said), len(order))
    cells, times = np.unique(hits, axis=0, return_counts=True)
    precision = [interpolated_precision(ranks[order][row], matches.num_truths, levels).mean() for row in cells]
    return float(np.average(precision, weights=times))
