"""Files of predictions, of every format that ``eval`` reads, with what only a viewer wants to know of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from densecap.errors import UserError
from densecap.evaluation.document import Document, read_document
from densecap.evaluation.formats.table import predictions_in
from densecap.evaluation.predictions import PredictedImage, Predictions
from densecap.viewer.records import Entry, ShownRegion, shown_box

#: The format whose scores are logits.
LOGITS = "DenseCap results.json"


def read_entries(path: Path) -> tuple[Predictions, list[Entry]]:
    """The file and its images. Errors: UserError for what cannot be read, and for a file without images."""
    document = read_document(path)
    predictions = predictions_in(document)
    if not predictions.images:
        raise UserError(f"{path} holds no images to look at")
    if predictions.format == LOGITS:
        for image in predictions.images:
            image.scores = 1 / (1 + np.exp(-np.clip(image.scores, -50, 50)))
    if predictions.whole_images and predictions.format == "COCO captions":
        return predictions, [Entry(*joined) for joined in _several_captions(predictions.images)]
    extras = list(_extras(document, predictions.format))
    if not extras:
        return predictions, [Entry(image) for image in predictions.images]
    return predictions, [Entry(image, *own) for image, own in zip(predictions.images, extras, strict=True)]


def facts(predictions: Predictions) -> list[tuple[str, str]]:
    """What the file says about the model that made it: names and values; no folder of the maker's machine is among
    them, since pages are published."""
    model = predictions.model or {}
    config = model.get("config")
    config = config if isinstance(config, dict) else {}
    generation = config.get("generation")
    generation = generation if isinstance(generation, dict) else {}
    checkpoint = str(model["checkpoint"]).replace("\\", "/").rpartition("/")[2] if model.get("checkpoint") else None
    found = (
        ("model", model.get("name")),
        ("trained on", model.get("trained_on")),
        ("checkpoint", checkpoint),
        ("image size", config.get("image_size")),
        ("beam size", generation.get("beam_size")),
        ("format", predictions.format),
    )
    notes = [("note", note) for note in predictions.notes]
    return [(name, str(value)) for name, value in found if isinstance(value, str | int | float)] + notes


def shown_regions(entry: Entry, predictions: Predictions, width: float, height: float) -> list[ShownRegion]:
    """Regions of an image of that original size, best score first."""
    image = entry.image
    if not len(image.numbers):
        return [ShownRegion(None, None, caption, _others(entry, row)) for row, caption in enumerate(image.captions)]
    corners = predictions.form.boxes(image.numbers, width, height)
    order = np.argsort(-image.scores, kind="stable").tolist()
    scores = [None if predictions.whole_images else round(float(image.scores[row]), 4) for row in order]
    boxes = [shown_box(corners[row], width, height) for row in order]
    return [
        ShownRegion(box, score, image.captions[row], _others(entry, row))
        for row, box, score in zip(order, boxes, scores)
    ]


def size_by_boxes(entry: Entry, predictions: Predictions) -> tuple[float, float]:
    """A size (width, height) that holds all boxes, where neither the file nor a photo gives one."""
    if not len(entry.image.numbers):
        return 4.0, 3.0
    unit = predictions.form.unit
    side = float(unit) if isinstance(unit, int) else 1.0 if unit == "normalised" else math.inf
    if side < math.inf:  # the resized image stands for the original
        return side, side
    corners = predictions.form.boxes(entry.image.numbers, 1, 1)
    width, height = corners[:, 2:].max(axis=0).tolist()
    return max(math.ceil(width), 1.0), max(math.ceil(height), 1.0)


def _others(entry: Entry, row: int) -> tuple[str, ...]:
    return entry.others[row] if row < len(entry.others) else ()


def _several_captions(images: list[PredictedImage]) -> Iterator[tuple[PredictedImage, list[tuple[str, ...]]]]:
    """COCO's list may have several entries about an image: they become one with its further captions."""
    grouped: dict[str | None, list[PredictedImage]] = {}
    for image in images:
        grouped.setdefault(image.image_id, []).append(image)
    for first, *more in grouped.values():
        yield replace(first), [tuple(other.captions[0] for other in more)]


def _extras(document: Document, format_name: str) -> Iterator[tuple[list[tuple[str, ...]], int | None]]:
    """Further captions by region, and the frame, of each image of this program's own JSON."""
    if format_name == "predictions.json":
        rows = document.value["images"]
    elif format_name == "predictions.jsonl":
        rows = document.value if document.kind == "lines" else [document.value]
    else:
        return
    for row in rows:
        frame = row.get("frame")
        yield [_further(region) for region in row["regions"]], frame if isinstance(frame, int) else None


def _further(region: dict[str, Any]) -> tuple[str, ...]:
    """Captions of a region other than the one it is known by."""
    several = region.get("captions")
    texts = [item.get("caption") for item in several if isinstance(item, dict)] if isinstance(several, list) else []
    return tuple(dict.fromkeys(text for text in texts if isinstance(text, str) and text != region["caption"]))
