"""Box formats, areas, overlaps, and the box parametrisation of Faster R-CNN and DenseCap.

Every function takes and returns float boxes in xyxy continuous pixels unless its name says otherwise.
"""

from __future__ import annotations

import torch
from torch import Tensor

#: Largest log-scale that is exponentiated: a box may grow 22,026-fold, which only keeps ``exp`` finite.
MAX_LOG_SCALE = 10.0


def cxcywh_from_xyxy(boxes: Tensor) -> Tensor:
    """(..., 4) corners to (centre x, centre y, width, height)."""
    x1, y1, x2, y2 = boxes.unbind(-1)
    return torch.stack(((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1), dim=-1)


def xyxy_from_cxcywh(boxes_cxcywh: Tensor) -> Tensor:
    """(..., 4) centres and sizes to corners."""
    x, y, width, height = boxes_cxcywh.unbind(-1)
    return torch.stack((x - width / 2, y - height / 2, x + width / 2, y + height / 2), dim=-1)


def box_area(boxes: Tensor) -> Tensor:
    """Areas (N,) of (N, 4) boxes; 0 for boxes turned inside out."""
    return (boxes[:, 2] - boxes[:, 0]).clamp(min=0) * (boxes[:, 3] - boxes[:, 1]).clamp(min=0)


def box_iou(boxes: Tensor, others: Tensor, shrink: float = 0.0) -> Tensor:
    """Intersection over union (N, M) of (N, 4) and (M, 4) boxes; 0 where both are empty.

    ``shrink`` is taken off both sides of every intersection: 1 gives the biased overlap of the 2016 sampler, whose
    intersections run between pixel centres while its areas do not (a 10 x 10 box overlaps itself by 81 / 119).
    """
    width = _shared(boxes, others, 0, shrink)
    intersection = width.mul_(_shared(boxes, others, 1, shrink))  # (N, M)
    union = (box_area(boxes)[:, None] + box_area(others)[None, :]).sub_(intersection)
    return intersection.div_(union.clamp_(min=1e-12))


def _shared(boxes: Tensor, others: Tensor, axis: int, shrink: float) -> Tensor:
    """Length (N, M) of what each pair shares along an axis, less ``shrink``; computed in place, a column at a time."""
    low, high = boxes[:, axis].contiguous()[:, None], boxes[:, axis + 2].contiguous()[:, None]
    other_low, other_high = others[:, axis].contiguous()[None, :], others[:, axis + 2].contiguous()[None, :]
    length = torch.minimum(high, other_high).sub_(torch.maximum(low, other_low))
    return (length.sub_(shrink) if shrink else length).clamp_(min=0)


def clip_boxes(boxes: Tensor, height: float, width: float) -> Tensor:
    """Clip (N, 4) boxes to an image of ``height`` x ``width`` pixels."""
    limit = boxes.new_tensor([width, height, width, height])
    return torch.minimum(boxes.clamp(min=0), limit)


def apply_transforms(boxes: Tensor, transforms: Tensor) -> Tensor:
    """Move and scale boxes (..., 4) by (tx, ty, tw, th): x = tx * w + x, w = w * exp(tw) (DenseCap section 3.2.1)."""
    x, y, width, height = cxcywh_from_xyxy(boxes).unbind(-1)
    tx, ty, tw, th = transforms.unbind(-1)
    half_width = width * tw.clamp(max=MAX_LOG_SCALE).exp() / 2
    half_height = height * th.clamp(max=MAX_LOG_SCALE).exp() / 2
    x, y = tx * width + x, ty * height + y
    return torch.stack((x - half_width, y - half_height, x + half_width, y + half_height), dim=-1)


def invert_transforms(boxes: Tensor, targets: Tensor, smallest: float = 1e-6) -> Tensor:
    """The transforms (..., 4) that carry ``boxes`` onto ``targets``; sides below ``smallest`` pixels count as that."""
    x, y, width, height = cxcywh_from_xyxy(boxes).unbind(-1)
    target_x, target_y, target_width, target_height = cxcywh_from_xyxy(targets).unbind(-1)
    width, height = width.clamp(min=smallest), height.clamp(min=smallest)
    tw = (target_width.clamp(min=smallest) / width).log()
    th = (target_height.clamp(min=smallest) / height).log()
    return torch.stack(((target_x - x) / width, (target_y - y) / height, tw, th), dim=-1)
