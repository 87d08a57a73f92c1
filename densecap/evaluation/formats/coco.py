"""COCO's result lists: captions of whole images, and detections that carry a caption each.

Captions are [{"image_id", "caption"}, ...] with one entry an image. Detections are [{"image_id", "bbox": [x, y, width,
height], "score", "caption"}, ...] with any number of entries an image, boxes in original pixels, the left edge 0.
"""

from __future__ import annotations

import numpy as np

from densecap.evaluation.boxes import BoxForm
from densecap.evaluation.document import Document
from densecap.evaluation.entries import Entry
from densecap.evaluation.predictions import PredictedImage, Predictions, image_of_rows


def matches_detections(document: Document) -> bool:
    return _holds(document, "bbox")


def matches_captions(document: Document) -> bool:
    return _holds(document, "caption") and not _holds(document, "bbox")


def read_detections(document: Document) -> Predictions:
    rows: dict[str, list[tuple[list[float], float, str]]] = {}
    first: dict[str, str] = {}
    for entry in _entries(document):
        image_id = entry.name("image_id")
        rows.setdefault(image_id, []).append((entry.box("bbox"), entry.number("score"), entry.text("caption")))
        first.setdefault(image_id, entry.where)
    images = [image_of_rows(first[image_id], image_id, None, own) for image_id, own in rows.items()]
    return Predictions(document.path, "COCO detections with captions", BoxForm("xywh"), images)


def read_captions(document: Document) -> Predictions:
    images = [
        PredictedImage(
            entry.where, entry.name("image_id"), None, np.zeros((0, 4)), np.zeros(0), [entry.text("caption")]
        )
        for entry in _entries(document)
    ]
    return Predictions(document.path, "COCO captions", BoxForm(), images, whole_images=True)


def _holds(document: Document, key: str) -> bool:
    """Whether it is a list of objects with the key, at least in one of the first."""
    value = document.value
    if document.kind != "json" or not isinstance(value, list):
        return False
    return any(isinstance(item, dict) and key in item for item in value[:100])


def _entries(document: Document) -> list[Entry]:
    return [Entry(item, f"{document.path}: entry [{index}]") for index, item in enumerate(document.value)]
