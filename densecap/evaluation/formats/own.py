"""The files that ``predict`` and ``eval`` write: predictions.json, predictions.jsonl, predictions.csv.

Where each image has one region, its whole picture, the captions are of whole images, without boxes.
"""

from __future__ import annotations

from typing import Any

from densecap.errors import UserError
from densecap.evaluation.boxes import BoxForm
from densecap.evaluation.document import Document
from densecap.evaluation.entries import Entry, is_number
from densecap.evaluation.predictions import PredictedImage, Predictions, image_of_rows
from densecap.structures import PREDICTIONS_VERSION


def matches_json(document: Document) -> bool:
    value = document.value
    return document.kind == "json" and isinstance(value, dict) and "images" in value and "results" not in value


def matches_lines(document: Document) -> bool:
    rows = document.value if document.kind == "lines" else [document.value]
    return document.kind in ("json", "lines") and isinstance(rows[0], dict) and "regions" in rows[0]


def matches_table(document: Document) -> bool:
    return document.kind == "table"


def read_json(document: Document) -> Predictions:
    whole = Entry(document.value, str(document.path))
    _check_version(whole)
    images = [_image(Entry(item, f"{document.path}: images[{i}]")) for i, item in enumerate(whole.items("images"))]
    model = whole.value.get("model")
    model = model if isinstance(model, dict) else None
    predictions = _predictions(document, "predictions.json", images)
    predictions.model = model
    words = (model or {}).get("vocabulary")
    if words is not None:
        predictions.vocabulary = _words(words, f"{document.path}: model.vocabulary")
    if whole.value.get("complete") is False:
        predictions.notes.append(f"{document.path.name} is incomplete: the run that wrote it was interrupted")
    return predictions


def read_lines(document: Document) -> Predictions:
    rows = document.value if document.kind == "lines" else [document.value]
    entries = [Entry(row, f"{document.path}: entry {number}") for number, row in enumerate(rows, start=1)]
    for entry in entries:
        _check_version(entry)
    return _predictions(document, "predictions.jsonl", [_image(entry) for entry in entries])


def read_table(document: Document) -> Predictions:
    rows: dict[str, list[tuple[list[float], float, str]]] = {}
    heads: dict[str, dict[str, Any]] = {}
    for row in document.value:
        entry = Entry(row, f"{document.path}: line {row['line']}")
        image_id = entry.text("image_id")
        box = [_table_number(entry, key) for key in ("x1", "y1", "x2", "y2")]
        rows.setdefault(image_id, []).append((box, _table_number(entry, "score"), entry.text("caption")))
        heads.setdefault(image_id, row)
    images = []
    for image_id, own in rows.items():
        head = Entry(heads[image_id], f"{document.path}: line {heads[image_id]['line']}")
        image = image_of_rows(head.where, image_id, head.value.get("file") or None, own)
        if head.value.get("width") and head.value.get("height"):
            image.width, image.height = _table_number(head, "width"), _table_number(head, "height")
        images.append(image)
    return _predictions(document, "predictions.csv", images)


def _predictions(document: Document, name: str, images: list[PredictedImage]) -> Predictions:
    whole = bool(images) and all(map(_is_whole, images))
    return Predictions(document.path, name, BoxForm(), images, whole_images=whole)


def _is_whole(image: PredictedImage) -> bool:
    """Whether its only region is the whole picture."""
    if image.width is None or image.height is None or len(image.numbers) != 1:
        return False
    return bool((abs(image.numbers[0] - [0, 0, image.width, image.height]) < 0.05).all())


def _image(entry: Entry) -> PredictedImage:
    rows = [(item.box("box"), item.number("score"), item.text("caption")) for item in entry.entries("regions")]
    file = entry.text("file") if "file" in entry.value else None
    image = image_of_rows(entry.where, entry.name("image_id"), file, rows)
    if "width" in entry.value or "height" in entry.value:
        image.width, image.height = entry.number("width"), entry.number("height")
        if min(image.width, image.height) <= 0:
            raise UserError(f"{entry.where} has a size of {image.width:g} x {image.height:g}; give its size in pixels")
    return image


def _check_version(entry: Entry) -> None:
    version = entry.value.get("version", PREDICTIONS_VERSION)
    if version != PREDICTIONS_VERSION:
        raise UserError(
            f"{entry.where} has predictions version {version}, this program reads version {PREDICTIONS_VERSION}"
        )


def _words(value: Any, where: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value) or len(set(value)) < len(value):
        raise UserError(f"{where} should be a list of distinct words")
    return value


def _table_number(entry: Entry, key: str) -> float:
    text = entry.get(key)
    try:
        value = float(text)
    except (TypeError, ValueError):
        value = float("nan")
    if not is_number(value):
        raise UserError(f"{entry.where}: {key} should be a finite number, it is {text!r}")
    return value
