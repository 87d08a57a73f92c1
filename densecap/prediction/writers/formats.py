"""What ``output.formats`` may hold, and where each format's text lies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from densecap.errors import UserError
from densecap.prediction.writers.coco import CocoWriter
from densecap.prediction.writers.crop_table import CropTable
from densecap.prediction.writers.densecap2016 import Densecap2016Writer
from densecap.prediction.writers.own import CsvWriter, JsonLinesWriter, JsonWriter
from densecap.prediction.writers.text import Writer

#: Formats that are one text, which standard output takes too.
TEXT_FORMATS: dict[str, type[Writer]] = {
    "json": JsonWriter,
    "jsonl": JsonLinesWriter,
    "csv": CsvWriter,
    "coco": CocoWriter,
}

#: Formats that are a text in a folder of its own, beside pictures.
_TEXT_BESIDE_PICTURES: dict[str, type[Writer]] = {"densecap": Densecap2016Writer, "crops": CropTable}

_PLACES = {
    "coco": "coco_captions.json",
    "densecap": "densecap/results.json",
    "crops": "crops/crops.csv",
    "images": "images/",
    "video": "videos/",
    "html": "html/index.html",
}

FORMATS = ("json", "jsonl", "csv", "coco", "densecap", "images", "video", "crops", "html")


def place_of(name: str) -> str:
    """The file or folder of a format within ``output.dir``."""
    return _PLACES.get(name, f"predictions.{name}")


def file_name(text_format: str) -> str:
    """The name of a text format's file."""
    return place_of(text_format)


def check_formats(formats: Sequence[str], directory: str) -> None:
    """Errors: UserError for an unknown format, none at all, or what standard output (``-``) cannot take."""
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or not formats:
        raise UserError(f"output.formats holds {', '.join(unknown) or 'nothing'}: choose among {', '.join(FORMATS)}")
    if directory == "-" and (len(formats) > 1 or formats[0] not in TEXT_FORMATS):
        raise UserError(
            "standard output takes one text: output.dir=- goes with output.formats=[json], [jsonl], [csv] or [coco]"
        )


def open_writers(formats: Sequence[str], target: Path | TextIO, model: dict[str, Any]) -> list[Writer]:
    """Writers of the formats that have a text, into a folder, or of the one text format to a stream."""
    known = TEXT_FORMATS | _TEXT_BESIDE_PICTURES
    named = [name for name in dict.fromkeys(formats) if name in known]
    return [known[name](target / place_of(name) if isinstance(target, Path) else target, model) for name in named]
