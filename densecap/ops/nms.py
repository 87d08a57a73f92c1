"""Greedy non-maximum suppression that stops after the wanted number of boxes."""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.ops import nms as _nms


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, max_boxes: int | None = None) -> Tensor:
    """Indices of the boxes kept, best score first; a box goes when it overlaps a kept one by more than the threshold.

    ``boxes`` (N, 4) xyxy, ``scores`` (N,). At most ``max_boxes`` are kept (all when None). The first picks among the
    best M boxes are the first picks among all, so only as many boxes as needed are looked at; the result is exact.
    The "+1" overlap of the 2016 code on inclusive pixel corners is this very overlap on continuous corners.
    """
    order = scores.argsort(descending=True, stable=True)
    if max_boxes is None:
        return order[_nms(boxes[order].float(), scores[order].float(), iou_threshold)]
    considered = max(4 * max_boxes, 1000)
    while True:
        head = order[:considered]
        # The rank stands in for the score, so that ties keep the order of the sort.
        rank = torch.arange(len(head), 0, -1, device=boxes.device, dtype=torch.float32)
        kept = _nms(boxes[head].float(), rank, iou_threshold)
        if len(kept) >= max_boxes or considered >= len(order):
            return head[kept[:max_boxes]]
        considered *= 4
