"""Overlaps, merged truths and the pixels of 2016, in float64 on (x1, y1, x2, y2) boxes."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from densecap.metrics.dense_map.conventions import MERGE_IOU, Convention
from densecap.metrics.dense_map.records import DenseRecord, Floats
from densecap.ops.box_encoding_2016 import encode_boxes_2016

Integers = NDArray[np.int64]


def convention_boxes(record: DenseRecord, convention: Convention) -> tuple[Floats, Floats]:
    """Predicted (D, 4) and truth boxes (M, 4) in the coordinates in which the convention compares them."""
    if convention.image_size is None:
        return record.boxes, record.truth_boxes
    size = (record.width, record.height)
    return predicted_boxes_2016(record.boxes, *size, convention.image_size), truth_boxes_2016(
        record.truth_boxes, *size, convention.image_size
    )


def predicted_boxes_2016(boxes: Floats, width: float, height: float, image_size: int = 720) -> Floats:
    """Boxes (D, 4) in original pixels as inclusive corners, counted from 1, of the resized image the model saw.

    Its sides are truncated to whole pixels. Single precision, as there.
    """
    scale = image_size / max(width, height)
    sides = np.maximum(np.floor(np.array([width, height]) * scale + 1e-9), 1)  # the term keeps 500 * 1.44 at 720
    resized = boxes * np.tile(sides / (width, height), 2)
    return _single(resized + (1.0, 1.0, 0.0, 0.0))


def truth_boxes_2016(boxes: Floats, width: float, height: float, image_size: int = 720) -> Floats:
    """Annotated boxes (M, 4) in original pixels as its preprocessing stored them, turned to inclusive corners.

    Stored are whole numbers (centre x, centre y, width, height) in a canvas of ``image_size`` pixels, counted from 1.
    """
    rows = torch.from_numpy(np.concatenate((boxes[:, :2], boxes[:, 2:] - boxes[:, :2]), axis=1))
    stored = encode_boxes_2016(rows, height, width, image_size).numpy()  # type: ignore[arg-type]
    centre, half = stored[:, :2], (stored[:, 2:] - 1) / 2
    return _single(np.concatenate((centre - half, centre + half), axis=1))


def overlaps(boxes: Floats, others: Floats, pixel: float = 0.0) -> Floats:
    """IoU (D, M); 0 for a pair that shares no area, and for boxes without any."""
    shared = _shared_sides(boxes, others, 0, pixel)
    shared *= _shared_sides(boxes, others, 1, pixel)
    union = _areas(boxes, pixel)[:, None] + _areas(others, pixel)
    union -= shared
    union[union <= 0] = 1.0  # two boxes without area, which share none
    shared /= union
    return shared


def _shared_sides(boxes: Floats, others: Floats, axis: int, pixel: float) -> Floats:
    """(D, M) widths (``axis`` 0) or heights (1) of what the boxes have in common."""
    side = np.minimum(boxes[:, 2 + axis, None], others[:, 2 + axis])
    side -= np.maximum(boxes[:, axis, None], others[:, axis])
    side += pixel
    return np.maximum(side, 0.0, out=side)


def merge_truths(boxes: Floats, pixel: float = 0.0) -> tuple[Floats, list[Integers]]:
    """Merge (M, 4) truths that overlap by .7 or more: mean boxes (G, 4) and the members of each group.

    The box with most partners takes them all (the first of several), not the partners of its partners; then the next.
    A box without area does not even overlap itself and is left out.
    """
    close = overlaps(boxes, boxes, pixel) >= MERGE_IOU
    partners = close.sum(axis=0)
    groups: list[Integers] = []
    while len(boxes) and partners[top := int(partners.argmax())] > 1:
        members = np.flatnonzero(close[top])
        groups.append(members)
        close[members] = False
        close[:, members] = False
        partners = close.sum(axis=0)
    alone = np.flatnonzero(partners == 1)
    merged = [boxes[members].sum(axis=0) / len(members) for members in groups]
    joined = np.concatenate((np.array(merged).reshape(-1, 4), boxes[alone]))
    return joined, groups + list(alone[:, None])


def _areas(boxes: Floats, pixel: float) -> Floats:
    return (boxes[:, 2] - boxes[:, 0] + pixel) * (boxes[:, 3] - boxes[:, 1] + pixel)


def _single(values: Floats) -> Floats:
    return values.astype(np.float32).astype(np.float64)
