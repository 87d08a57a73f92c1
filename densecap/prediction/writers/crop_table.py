"""The table of the pictures that ``densecap.prediction.crops`` cuts out: ``crops/crops.csv``.

It has a row for each region under the header ``CROP_COLUMNS``; ``crop`` is the picture's path from the table's folder,
``<image_id>/<region>_<caption>.jpg``: ``region`` counts from 000 within its image, of the caption are kept the letters
and digits.
"""

from __future__ import annotations

import csv
import unicodedata
from pathlib import Path
from typing import Any, TextIO

from densecap.prediction.writers.text import Writer
from densecap.structures import Prediction

CROP_COLUMNS = ("crop", "image_id", "file", "region", "x1", "y1", "x2", "y2", "score", "caption")

#: Bytes of a caption in a file name at most.
_LONGEST = 80


class CropTable(Writer):
    """``crops.csv``, see the module."""

    def __init__(self, target: Path | TextIO, model: dict[str, Any]) -> None:
        super().__init__(target, model)
        self._rows = csv.writer(self._output, lineterminator="\n")
        self._rows.writerow(CROP_COLUMNS)

    def add(self, prediction: Prediction) -> None:
        data = prediction.to_json()
        for index, region in enumerate(data["regions"]):
            name = f"{data['image_id']}/{crop_name(index, region['caption'])}"
            row = [name, data["image_id"], data["file"], index, *region["box"], region["score"], region["caption"]]
            self._rows.writerow(row)


def crop_name(region: int, caption: str) -> str:
    """The file name of a crop: letters and digits of the caption joined by "-", cut to what file systems take."""
    kept = "".join(letter if letter.isalnum() else " " for letter in unicodedata.normalize("NFC", caption).casefold())
    words = "-".join(kept.split()).encode()[:_LONGEST].decode(errors="ignore").rstrip("-")
    return f"{region:03d}_{words or 'region'}.jpg"
