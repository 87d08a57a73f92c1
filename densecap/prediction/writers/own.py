"""This program's own formats: predictions.json, predictions.jsonl and predictions.csv."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any, TextIO

from densecap.errors import UserError
from densecap.prediction.writers.text import ListWriter, Writer, dump
from densecap.structures import PREDICTIONS_VERSION, Prediction

BOX_FORMAT = "xyxy, original pixels"
CSV_COLUMNS = ("image_id", "file", "width", "height", "region", "x1", "y1", "x2", "y2", "score", "log_prob", "caption")


class JsonWriter(ListWriter):
    """One JSON object with an image a line."""

    def __init__(self, target: Path | TextIO, model: dict[str, Any]) -> None:
        head = {"version": PREDICTIONS_VERSION, "model": model, "box_format": BOX_FORMAT}
        super().__init__(target, model, dump(head)[:-1] + ', "images": [')

    def add(self, prediction: Prediction) -> None:
        self.add_entry(prediction.to_json())

    def tail(self, summary: dict[str, Any]) -> str:
        return ", " + dump(summary)[1:]


class JsonLinesWriter(Writer):
    """One JSON object a line."""

    def add(self, prediction: Prediction) -> None:
        self._output.write(dump({"version": PREDICTIONS_VERSION, **prediction.to_json()}) + "\n")


class CsvWriter(Writer):
    """A table with one region a row."""

    def __init__(self, target: Path | TextIO, model: dict[str, Any]) -> None:
        super().__init__(target, model)
        self._rows = csv.writer(self._output, lineterminator="\n")
        self._rows.writerow(CSV_COLUMNS)

    def add(self, prediction: Prediction) -> None:
        data = prediction.to_json()
        head = [data[key] for key in CSV_COLUMNS[:4]]
        for index, region in enumerate(data["regions"]):
            self._rows.writerow([*head, index, *region["box"], region["score"], region["log_prob"], region["caption"]])


def read_predictions(path: Path) -> list[Prediction]:
    """The images of a predictions.json. Errors: UserError when the file is another version or something else."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        version = data["version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is not a predictions.json: {error}") from error
    if version != PREDICTIONS_VERSION:
        raise UserError(f"{path} has predictions version {version}, this program reads version {PREDICTIONS_VERSION}")
    return [Prediction.from_json(image) for image in data["images"]]
