"""Which format a predictions file has, by its content."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from densecap.errors import UserError
from densecap.evaluation.document import Document, read_document
from densecap.evaluation.formats import coco, densecap2016, own
from densecap.evaluation.predictions import Predictions


@dataclass(frozen=True)
class Format:
    """``matches`` looks at the shape of the content alone; ``read`` raises UserError for what is wrong in it."""

    name: str
    matches: Callable[[Document], bool]
    read: Callable[[Document], Predictions]


FORMATS = (
    Format("predictions.json", own.matches_json, own.read_json),
    Format("predictions.jsonl", own.matches_lines, own.read_lines),
    Format("predictions.csv", own.matches_table, own.read_table),
    Format("DenseCap results.json", densecap2016.matches, densecap2016.read),
    Format("COCO detections with captions", coco.matches_detections, coco.read_detections),
    Format("COCO captions", coco.matches_captions, coco.read_captions),
)


def read_predictions(path: Path) -> Predictions:
    """Predictions of any known format. Errors: UserError, naming file and entry."""
    return predictions_in(read_document(path))


def predictions_in(document: Document) -> Predictions:
    """What ``read_predictions`` gives for the file of that content."""
    for known in FORMATS:
        if known.matches(document):
            return known.read(document)
    if document.value in ([], {}):
        raise UserError(f"{document.path} holds no predictions: it is an empty {type(document.value).__name__}")
    names = ", ".join(known.name for known in FORMATS)
    raise UserError(f"{document.path} is in no known format of predictions; those are {names}")
