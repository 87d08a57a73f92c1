"""How well boxes are found: recall of proposals and average precision of detections."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from densecap.metrics.dense_map.average_precision import interpolated_precision as precision_at_levels
from densecap.metrics.dense_map.conventions import CONVENTIONS
from densecap.ops.boxes import box_iou

#: How many proposals an image are looked at, and from which overlap a truth is found, in the paper's recall table.
PROPOSAL_COUNTS = (100, 200, 300)
RECALL_IOUS = (0.5, 0.7, 0.9)


def proposal_recall(proposals: Sequence[Tensor], truth: Sequence[Tensor], iou_threshold: float) -> float:
    """Share of all truth boxes that some proposal of their image overlaps by at least ``iou_threshold``.

    ``proposals[i]`` (P, 4) and ``truth[i]`` (M, 4) belong to one image. NaN when there is no truth at all.
    """
    counts = (max((len(boxes) for boxes in proposals), default=0),)
    return float(proposal_recall_table(proposals, truth, counts, (iou_threshold,)))


def proposal_recall_table(
    proposals: Sequence[Tensor],
    truth: Sequence[Tensor],
    counts: Sequence[int] = PROPOSAL_COUNTS,
    iou_thresholds: Sequence[float] = RECALL_IOUS,
) -> Tensor:
    """Recall (C, T) float64 with the first ``counts`` proposals of every image, at each overlap.

    ``proposals[i]`` (P, 4), best first, and ``truth[i]`` (M, 4) belong to one image. NaN when there is no truth at all.
    """
    found = torch.zeros(len(counts), len(iou_thresholds), dtype=torch.float64)
    for boxes, wanted in zip(proposals, truth, strict=True):
        found += found_truths(boxes, wanted, counts, iou_thresholds)
    return found / sum(len(wanted) for wanted in truth)


def found_truths(
    proposals: Tensor,
    truth: Tensor,
    counts: Sequence[int] = PROPOSAL_COUNTS,
    iou_thresholds: Sequence[float] = RECALL_IOUS,
) -> Tensor:
    """How many (C, T) of the truth boxes (M, 4) of an image its first ``counts`` proposals (P, 4) find."""
    found = torch.zeros(len(counts), len(iou_thresholds), dtype=torch.int64)
    if len(proposals) == 0 or len(truth) == 0:
        return found
    best = box_iou(truth, proposals).cummax(dim=1).values  # (M, P) with so many proposals
    thresholds = best.new_tensor(iou_thresholds)
    for row, count in zip(found, counts):
        if count > 0:
            row += (best[:, min(count, len(proposals)) - 1, None] >= thresholds).sum(dim=0).cpu()
    return found


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
    if not scores:
        return 0.0
    order = torch.cat(list(scores)).argsort(descending=True, stable=True)
    return interpolated_precision(torch.cat(correct)[order], total)


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
    ranks = hits.nonzero()[:, 0].cpu().numpy() + 1
    return float(precision_at_levels(ranks, total, CONVENTIONS["standard"].levels).mean())
