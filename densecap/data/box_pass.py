"""The box part of preprocessing: fit to the image file, clip to it, find the boxes without area."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from densecap.data.image_pass import StoredImage
from densecap.data.text_pass import Annotations

#: Shapes that differ by more than this share are not the same picture in another size.
SHAPE_TOLERANCE = 0.02


@dataclass(frozen=True)
class FittedBoxes:
    """``boxes`` (M, 4) float32 clipped to their images, ``kept`` (M,) bool: the image is stored and the area is not 0.

    ``readable`` (M,) bool: the image is stored. ``scaled`` and ``misfits``: ids of images whose size is not
    the annotated one, but whose shape is, or is not.
    """

    boxes: np.ndarray
    kept: np.ndarray
    readable: np.ndarray
    scaled: list[str]
    misfits: list[str]


def fit_boxes(
    found: Annotations, stored: Sequence[StoredImage], annotated_sizes: Mapping[str, tuple[int, int]]
) -> FittedBoxes:
    """Bring all boxes into the pixels of the image files; N images with M regions, ``stored`` has N rows."""
    sizes = np.array([(row.original_height, row.original_width) for row in stored], dtype=np.float32).reshape(-1, 2)
    scales, scaled, misfits = _scales(found.ids, sizes, annotated_sizes)
    counts = np.asarray(found.region_counts)
    boxes = np.concatenate([np.zeros((0, 4), dtype=np.float32), *found.boxes])  # (M, 4)
    if scaled:
        boxes *= np.repeat(np.tile(scales[:, ::-1], 2), counts, axis=0)
    limits = np.repeat(np.tile(sizes[:, ::-1], 2), counts, axis=0)  # (M, 4) width, height, width, height
    boxes = np.clip(boxes, 0, limits)
    has_area = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    readable = np.repeat(np.array([row.error is None for row in stored], dtype=bool), counts)
    return FittedBoxes(boxes, has_area & readable, readable, scaled, misfits)


def _scales(
    ids: Sequence[str], sizes: np.ndarray, annotated_sizes: Mapping[str, tuple[int, int]]
) -> tuple[np.ndarray, list[str], list[str]]:
    """(N, 2) factors for (y, x), and the ids of images with another size of the same shape, and of another shape."""
    scales = np.ones((len(ids), 2), dtype=np.float32)
    scaled: list[str] = []
    misfits: list[str] = []
    for index, image_id in enumerate(ids):
        annotated = annotated_sizes.get(image_id)
        if annotated is None or min(annotated) <= 0 or not sizes[index].all() or tuple(sizes[index]) == annotated:
            continue
        factors = sizes[index] / np.array(annotated, dtype=np.float32)
        if abs(factors[0] / factors[1] - 1) > SHAPE_TOLERANCE:
            misfits.append(image_id)
        else:
            scales[index] = factors
            scaled.append(image_id)
    return scales, scaled, misfits
