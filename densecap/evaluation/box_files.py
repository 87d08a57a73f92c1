"""Files that say which boxes of which images are meant, without a word about them.

A file is JSON, JSON lines or a table with a header. Known are, by their content:

    {"photo.jpg": [[x1, y1, x2, y2], ...], ...}                    a list of boxes under the name of each image
    {"file": "photo.jpg", "boxes": [[x1, y1, x2, y2], ...]}        one object an image, in a list or one on each line
    file,x1,y1,x2,y2                                               a table, one box a row
    predictions.json, .jsonl and .csv                              as predict writes them; what they say is not read
    [{"image_id", "bbox": [x, y, width, height]}, ...]             COCO's detections
    {"images": [...], "annotations": [...]}                        COCO's annotations
    results.json of DenseCap                                       its boxes are brought back to the original image

Boxes are corners in pixels of the original image unless the format says otherwise; where ``width`` and ``height`` stand
beside them, of an image of that size. Instead of ``file`` there may be ``image_id``.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from densecap.errors import UserError
from densecap.evaluation.boxes import BoxForm
from densecap.evaluation.document import Document, read_document
from densecap.evaluation.entries import Entry, checked_box, shown
from densecap.evaluation.formats import densecap2016

_CORNERS = ("x1", "y1", "x2", "y2")


@dataclass
class BoxesOfImage:
    """The numbers of an image's boxes as written; ``width`` and ``height`` are what they refer to, if that is said."""

    where: str
    file: str | None
    image_id: str | None
    frame: int | None = None
    numbers: list[list[float]] = field(default_factory=list)
    width: float | None = None
    height: float | None = None


def read_boxes(path: Path) -> tuple[BoxForm, list[BoxesOfImage]]:
    """What the numbers mean, and those of each image. Errors: UserError, naming file and entry."""
    if not path.is_file():
        raise UserError(f"there is no file of boxes at {path}")
    if path.read_bytes().lstrip()[:1] not in (b"{", b"["):
        return BoxForm(), _table(path)
    document = read_document(path)
    if densecap2016.matches(document):
        return _results(document)
    if isinstance(document.value, dict) and "annotations" in document.value:
        return BoxForm("xywh"), _coco_annotations(document)
    if isinstance(document.value, list) and _has(document.value, "bbox"):
        return BoxForm("xywh"), _coco_detections(document.value, str(path))
    return BoxForm(), _objects(document)


def _results(document: Document) -> tuple[BoxForm, list[BoxesOfImage]]:
    read = densecap2016.read(document)
    return read.form, [BoxesOfImage(own.where, own.file, None, numbers=own.numbers.tolist()) for own in read.images]


def _coco_annotations(document: Document) -> list[BoxesOfImage]:
    images = {}
    for entry in Entry(document.value, str(document.path)).entries("images"):
        images[entry.name("id")] = BoxesOfImage(entry.where, entry.text("file_name"), entry.name("id"))
    for entry in Entry(document.value, str(document.path)).entries("annotations"):
        owner = images.get(entry.name("image_id"))
        if owner is None:
            raise UserError(f"{entry.where} is about image {entry.name('image_id')}, which is not among its images")
        owner.numbers.append(entry.box("bbox"))
    return list(images.values())


def _coco_detections(values: Iterable[Any], path: str) -> list[BoxesOfImage]:
    images: dict[str, BoxesOfImage] = {}
    for number, value in enumerate(values):
        entry = Entry(value, f"{path}: entry [{number}]")
        owner = images.setdefault(entry.name("image_id"), BoxesOfImage(entry.where, None, entry.name("image_id")))
        owner.numbers.append(entry.box("bbox"))
    return list(images.values())


def _objects(document: Document) -> list[BoxesOfImage]:
    """Objects of one image each, or lists of boxes by the names of the images."""
    value, path = document.value, document.path
    if isinstance(value, dict) and "images" in value:
        value = Entry(value, str(path)).items("images")
    elif isinstance(value, dict) and not {"boxes", "regions"} & set(value):
        return [_named(name, boxes, f"{path}: {name!r}") for name, boxes in value.items()]
    values = value if isinstance(value, list) else [value]
    return [_object(Entry(own, f"{path}: entry [{number}]")) for number, own in enumerate(values)]


def _named(name: str, boxes: Any, where: str) -> BoxesOfImage:
    if not isinstance(boxes, list):
        raise UserError(f"{where} should be a list of boxes, it is {shown(boxes)}")
    rows = [checked_box(box, f"{where}[{row}]") for row, box in enumerate(boxes)]
    return BoxesOfImage(where, name, None, numbers=rows)


def _object(entry: Entry) -> BoxesOfImage:
    value = entry.value
    if "regions" in value:
        rows = [region.box("box") for region in entry.entries("regions")]
    else:
        rows = [checked_box(box, f"{entry.where}.boxes[{row}]") for row, box in enumerate(entry.items("boxes"))]
    if "file" not in value and "image_id" not in value:
        entry.get("file")
    sides = [entry.number(side) if side in value else None for side in ("width", "height")]
    return BoxesOfImage(
        entry.where,
        entry.text("file") if "file" in value else None,
        entry.name("image_id") if "image_id" in value else None,
        int(entry.number("frame")) if "frame" in value else None,
        rows,
        *sides,
    )


def _table(path: Path) -> list[BoxesOfImage]:
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""), strict=True))
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path} is neither JSON nor a table of boxes: {error}") from None
    if not rows:
        raise UserError(f"{path} holds no boxes")
    images: dict[str, BoxesOfImage] = {}
    for number, row in enumerate(rows, start=2):
        where = f"{path}: line {number}"
        name = row.get("file") or row.get("image_id")
        missing = [key for key in _CORNERS if key not in row] + ([] if name else ["file"])
        if missing:
            raise UserError(f"{where} has no {missing[0]}; a table of boxes has the columns file, x1, y1, x2, y2")
        own = images.setdefault(name or "", BoxesOfImage(where, row.get("file"), row.get("image_id")))
        own.numbers.append(checked_box([_number_of(row[key]) for key in _CORNERS], where))
        if row.get("width") and row.get("height"):
            own.width, own.height = _number_of(row["width"]), _number_of(row["height"])
    return list(images.values())


def _number_of(text: str | None) -> Any:
    try:
        return float(text or "")
    except ValueError:
        return text


def _has(values: Sequence[Any], key: str) -> bool:
    return any(isinstance(value, Mapping) and key in value for value in values[:100])
