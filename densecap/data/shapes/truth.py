"""Checking a caption against the scene that a picture was painted from."""

from __future__ import annotations

from collections.abc import Sequence

from densecap.data.shapes.grammar import true_phrases
from densecap.data.shapes.sampling import DEFAULT_SEED, scene_of


def true_phrases_of_box(image_id: int, box: Sequence[float], seed: int = DEFAULT_SEED) -> frozenset[str]:
    """Every phrase that is true of the shape in ``box`` (xyxy, pixels of the picture); empty when none is there.

    The shape is the one that overlaps the box most, with an IoU of at least one half.
    """
    scene = scene_of(image_id, seed)
    overlaps = [_iou(shape.box, box) for shape in scene.shapes]
    best = max(range(len(overlaps)), key=overlaps.__getitem__)
    return true_phrases(scene, best) if overlaps[best] >= 0.5 else frozenset()


def _iou(first: Sequence[float], second: Sequence[float]) -> float:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return width * height / (sum(areas) - width * height)
