"""The last step of detection, on arrays: what is left of the refined boxes, best first."""

from __future__ import annotations

import numpy as np

from densecap.models.settings import DetectionSettings


def kept_boxes(boxes: np.ndarray, logits: np.ndarray, settings: DetectionSettings) -> np.ndarray:
    """Rows of (R, 4) boxes and logits (R,) that stay, as ``densecap.models.inference`` chooses them."""
    usable = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    if settings.score_threshold > 0:
        usable &= sigmoid(logits) >= settings.score_threshold
    rows = np.flatnonzero(usable)
    order = rows[np.argsort(-logits[rows], kind="stable")]
    if settings.final_nms_iou < 1:
        return suppressed(boxes, order, settings.final_nms_iou, settings.max_detections)
    return order[: settings.max_detections]


def suppressed(boxes: np.ndarray, order: np.ndarray, iou_threshold: float, most: int | None) -> np.ndarray:
    """Greedy suppression along ``order``: a box goes when it overlaps one kept by more than the threshold."""
    kept: list[int] = []
    left = order
    while len(left) and (most is None or len(kept) < most):
        best, left = left[0], left[1:]
        kept.append(int(best))
        left = left[overlaps(boxes[best], boxes[left]).astype(np.float64) <= iou_threshold]
    return np.array(kept, np.int64)


def overlaps(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union (N,) of a box (4,) with others (N, 4), in their precision."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    shared = np.maximum(sides[:, 0], 0) * np.maximum(sides[:, 1], 0)
    union = _area(others) + _area(box[None]) - shared
    return shared / np.maximum(union, 1e-12)


def sigmoid(values: np.ndarray) -> np.ndarray:
    """Of float32 logits, of which none overflows."""
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-values))


def _area(boxes: np.ndarray) -> np.ndarray:
    return np.maximum(boxes[:, 2] - boxes[:, 0], 0) * np.maximum(boxes[:, 3] - boxes[:, 1], 0)
