"""Writing predictions as JSON, JSON lines or CSV: the schema, field by field.

``predictions.json`` is one object (version 1):

    version                 int     raised whenever a field goes or changes its meaning; new fields do not raise it
    complete                bool    false when the run was interrupted: the images not reached are missing
    model.checkpoint        str     path of the checkpoint
    model.sha256            str     SHA-256 of that file, hexadecimal
    model.name              str     class of the model and of its parts, as "DenseCaptioner (VGG16, LSTMDecoder)"
    model.trained_on        str     name of the data set
    model.vocabulary        str[]   the words it can say, where eval wrote the file
    model.config            object  image_size, vocabulary_size, the detection and generation settings used, and
                                    those of rerank where it chose the captions
    box_format              str     always "xyxy, original pixels"
    images[]                object  one for every picture that could be read, in the order of the source
      .image_id             str     distinct within the file: the file's name without suffix, longer where two share it
      .file                 str     path as found from the source (relative to the folder of the run, or absolute)
      .width, .height       int     size of the picture as displayed, in pixels: its EXIF orientation is applied
      .regions[]            object  best score first
        .box                float[4] x1, y1, x2, y2 in pixels of that size, continuous: the left edge of the picture
                                    is 0, its right edge is width
        .score              float   probability (0 to 1) that the box is a region worth a caption
        .caption            str     the words, separated by blanks
        .log_prob           float   natural log probability of the caption, summed over its words and its end
        .token_log_probs    float[] the terms of log_prob: one for each word of the caption, and one for its end unless
                                    the caption was cut at generation.max_length; only with generation.num_captions > 1
        .captions[]         object  only with generation.num_captions > 1: what was generated, at most so many, best
                                    first, each with caption, log_prob and token_log_probs as above
    errors[]                object  file and reason (str, as "is empty") of every file that could not be read
    timing.images           int     pictures described
    timing.seconds          float   from the first file to the last, without loading the model
    timing.images_per_second float
    timing.stages           object  seconds of load (the model), decode (summed over threads that run beside the rest),
                                    caption, draw (in a thread beside the rest) and write

``predictions.jsonl`` holds the objects of ``images`` one on each line, each with ``version`` in front; an interrupted
run leaves fewer lines. ``predictions.csv`` has one row for each region under the header ``CSV_COLUMNS``; region counts
from 0 within its image, a picture without regions has no row, and of several captions only ``caption`` is there.

``coco_captions.json`` are COCO's results of captioning, [{"image_id", "caption"}, ...], as its evaluation server takes
them: an entry an image, with the caption of its best region, which is the image's own where a model describes whole
images. Of COCO's photos image_id is the number in the file's name; of others it is ``image_id``, as text.

All are UTF-8. Files are written under a temporary name and renamed at the end, so a file of that name is whole.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Any, TextIO

from densecap.data.coco_images import coco_id
from densecap.errors import UserError
from densecap.structures import PREDICTIONS_VERSION, Prediction

BOX_FORMAT = "xyxy, original pixels"
CSV_COLUMNS = ("image_id", "file", "width", "height", "region", "x1", "y1", "x2", "y2", "score", "log_prob", "caption")


class TextOutput:
    """UTF-8 text that appears at ``path`` once it is complete, or goes to ``stream`` as it comes."""

    def __init__(self, target: Path | TextIO) -> None:
        self.path = target if isinstance(target, Path) else None
        if self.path is None:
            assert not isinstance(target, Path)
            self.stream = target
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
        # File names that are no UTF-8 hold lone surrogates; "\udc80" is how JSON writes those.
        self.stream = self._temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="")

    def write(self, text: str) -> None:
        self.stream.write(text)
        if self.path is None:
            self.stream.flush()

    def close(self) -> None:
        """Make the text final."""
        self.stream.flush()
        if self.path is not None:
            self.stream.close()
            self._temporary.replace(self.path)

    def discard(self) -> None:
        """Leave no file, or the one of an earlier run as it was."""
        if self.path is not None:
            self.stream.close()
            self._temporary.unlink(missing_ok=True)


class Writer:
    """Takes predictions one by one, then what is known at the end: ``complete``, ``errors`` and ``timing``.

    ``target`` is a path or a stream, ``model`` the object of that name in predictions.json.
    """

    def __init__(self, target: Path | TextIO, model: dict[str, Any]) -> None:
        self._output = TextOutput(target)

    def add(self, prediction: Prediction) -> None:
        raise NotImplementedError

    def close(self, summary: dict[str, Any]) -> None:
        self._output.close()

    def discard(self) -> None:
        self._output.discard()


class JsonWriter(Writer):
    """One JSON object with an image a line; holds nothing in memory."""

    def __init__(self, target: Path | TextIO, model: dict[str, Any]) -> None:
        super().__init__(target, model)
        head = {"version": PREDICTIONS_VERSION, "model": model, "box_format": BOX_FORMAT}
        self._output.write(_dump(head)[:-1] + ', "images": [')
        self._separator = "\n"

    def add(self, prediction: Prediction) -> None:
        self._output.write(self._separator + _dump(prediction.to_json()))
        self._separator = ",\n"

    def close(self, summary: dict[str, Any]) -> None:
        self._output.write("\n], " + _dump(summary)[1:] + "\n")
        self._output.close()


class JsonLinesWriter(Writer):
    """One JSON object a line."""

    def add(self, prediction: Prediction) -> None:
        self._output.write(_dump({"version": PREDICTIONS_VERSION, **prediction.to_json()}) + "\n")


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


class CocoWriter(Writer):
    """COCO's results of captioning, an image a line."""

    def __init__(self, target: Path | TextIO, model: dict[str, Any]) -> None:
        super().__init__(target, model)
        self._output.write("[")
        self._separator = "\n"

    def add(self, prediction: Prediction) -> None:
        if not prediction.regions:
            return
        number = coco_id(Path(prediction.file).name)
        image_id = int(number) if number.isdecimal() else prediction.image_id
        row = {"image_id": image_id, "caption": prediction.regions[0].caption}
        self._output.write(self._separator + _dump(row))
        self._separator = ",\n"

    def close(self, summary: dict[str, Any]) -> None:
        self._output.write("\n]\n")
        self._output.close()


#: Text formats of ``output.formats`` and the writer of each; "images" is the last format.
TEXT_FORMATS: dict[str, type[Writer]] = {
    "json": JsonWriter,
    "jsonl": JsonLinesWriter,
    "csv": CsvWriter,
    "coco": CocoWriter,
}


def file_name(text_format: str) -> str:
    """The name of a text format's file."""
    return "coco_captions.json" if text_format == "coco" else f"predictions.{text_format}"


def check_formats(formats: Sequence[str], directory: str) -> None:
    """Errors: UserError for an unknown format, none at all, or what standard output (``-``) cannot take."""
    known = [*TEXT_FORMATS, "images"]
    unknown = [name for name in formats if name not in known]
    if unknown or not formats:
        raise UserError(f"output.formats holds {', '.join(unknown) or 'nothing'}: choose among {', '.join(known)}")
    if directory == "-" and (len(formats) > 1 or formats[0] not in TEXT_FORMATS):
        raise UserError(
            "standard output takes one text: output.dir=- goes with output.formats=[json], [jsonl], [csv] or [coco]"
        )


def open_writers(formats: Sequence[str], target: Path | TextIO, model: dict[str, Any]) -> list[Writer]:
    """Writers of the text formats into a folder, or of the one text format to a stream."""
    writers: list[Writer] = []
    for name in dict.fromkeys(formats):
        if name in TEXT_FORMATS:
            place = target / file_name(name) if isinstance(target, Path) else target
            writers.append(TEXT_FORMATS[name](place, model))
    return writers


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


@contextmanager
def only_stdout() -> Iterator[TextIO]:
    """Standard output for the caller alone: whatever else prints there, even from C, goes to standard error."""
    sys.stdout.flush()
    own = os.dup(1)
    os.dup2(2, 1)
    stream = os.fdopen(os.dup(own), "w", encoding="utf-8", errors="backslashreplace", newline="")
    try:
        with redirect_stdout(sys.stderr):
            yield stream
    finally:
        with suppress(BrokenPipeError):
            stream.close()
        os.dup2(own, 1)
        os.close(own)


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
