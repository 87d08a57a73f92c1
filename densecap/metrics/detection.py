"""How well boxes are found: recall of proposals and average precision of detections."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from densecap.ops.boxes import box_iou


def proposal_recall(proposals: Sequence[Tensor], truth: Sequence[Tensor], iou_threshold: float) -> float:
    """Share of all truth boxes that some proposal of their image overlaps by at least ``iou_threshold``.

    ``proposals[i]`` (P, 4) and ``truth[i]`` (M, 4) belong to one image. NaN when there is no truth at all.
    """
    found = total = 0
    for boxes, wanted in zip(proposals, truth, strict=True):
        total += len(wanted)
        if len(boxes) and len(wanted):
            found += int((box_iou(wanted, boxes).amax(dim=1) >= iou_threshold).sum())
    return found / total if total else float("nan")


def average_precision(
    boxes: Sequence[Tensor], scores: Sequence[Tensor], truth: Sequence[Tensor], iou_threshold: float
) -> float:
    """Detection average precision at one overlap: the mean over recalls 0, .01, ..., 1 of the best precision there.

    Detections of all images are ranked together by score. Each claims the truth it overlaps most, when that overlap
    reaches the threshold and nobody better has claimed it; otherwise it is false. NaN when there is no truth at all.
    """
    correct = [_claims(b, s, t, iou_threshold) for b, s, t in zip(boxes, scores, truth, strict=True)]
    total = sum(len(item) for item in truth)
    if total == 0:
        return float("nan")
    order = torch.cat(list(scores)).argsort(descending=True, stable=True) if scores else torch.zeros(0, dtype=torch.long)
    hits = (torch.cat(correct) if correct else torch.zeros(0))[order].double()
    return interpolated_precision(hits, total)


def _claims(boxes: Tensor, scores: Tensor, truth: Tensor, iou_threshold: float) -> Tensor:
    """Which detections of one image are true, in their given order (D,)."""
    correct = torch.zeros(len(boxes), dtype=torch.bool)
    if len(boxes) == 0 or len(truth) == 0:
        return correct
    overlap, best = box_iou(boxes, truth).max(dim=1)
    claimed = [False] * len(truth)
    for index in scores.argsort(descending=True, stable=True).tolist():
        target = int(best[index])
        if overlap[index] >= iou_threshold and not claimed[target]:
            claimed[target] = True
            correct[index] = True
    return correct


def interpolated_precision(hits: Tensor, total: int) -> float:
    """Average precision of ranked hits (D,) out of ``total`` truths, over 101 recall levels."""
    if len(hits) == 0:
        return 0.0
    found = hits.cumsum(0)
    precision = found / torch.arange(1, len(hits) + 1, dtype=torch.float64)
    best_from_here = precision.flip(0).cummax(0).values.flip(0)
    recall = found / total
    levels = torch.arange(101, dtype=torch.float64) / 100
    first = torch.searchsorted(recall, levels - 1e-12)
    values = torch.cat((best_from_here, best_from_here.new_zeros(1)))
    return float(values[first].mean())
