"""Greedy non-maximum suppression that stops after the wanted number of boxes."""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.ops import nms as _nms

from densecap.ops.boxes import box_iou

#: Boxes looked at together on a processor: a table of their overlaps with a thousand boxes kept fits its cache.
BLOCK = 512


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, max_boxes: int | None = None) -> Tensor:
    """Indices of the boxes kept, best score first; a box goes when it overlaps a kept one by more than the threshold.

    ``boxes`` (N, 4) xyxy, ``scores`` (N,). At most ``max_boxes`` are kept (all when None). Boxes are taken in blocks
    from the best to the worst: those that overlap a box kept before go at once, the rest suppress one another. The
    first picks are the same however many boxes follow, so the result is exact where it stops. The "+1" overlap of the
    2016 code on inclusive pixel corners is this very overlap on continuous corners.
    """
    order = scores.argsort(descending=True, stable=True)
    wanted = len(order) if max_boxes is None else max_boxes
    # On an accelerator few large blocks, so that the host seldom waits for it.
    size = BLOCK if boxes.device.type == "cpu" else max(4 * wanted, 1000)
    boxes, kept = boxes.float(), order[:0]
    for rows in order.split(size):
        if len(kept):
            rows = rows[~_overlap(boxes[rows], boxes[kept], iou_threshold)]
        kept = torch.cat((kept, rows[_suppress(boxes[rows], iou_threshold)]))
        if len(kept) >= wanted:
            break
    return kept[:wanted]


def _overlap(boxes: Tensor, kept: Tensor, iou_threshold: float) -> Tensor:
    """Whether each of (N, 4) boxes overlaps any of the (M, 4) kept by more than the threshold: (N,) bool."""
    return box_iou(boxes, kept).amax(dim=1).double() > iou_threshold


def _suppress(boxes: Tensor, iou_threshold: float) -> Tensor:
    """The boxes kept of (N, 4), best first: their place stands in for the score, so that ties keep their order."""
    rank = torch.arange(len(boxes), 0, -1, device=boxes.device, dtype=torch.float32)
    return _nms(boxes, rank, iou_threshold)
