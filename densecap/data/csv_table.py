"""Anyone's own photos, described in a table: image path, caption and, for regions, a box.

    image,caption,x,y,width,height,split
    photos/cat.jpg,a cat on a mat,10,20,200,150,train
    photos/cat.jpg,two animals,,,,,train

The first line names the columns, in any order and with any others between: ``image`` (or path, file), ``caption`` (or
phrase, text), optionally ``x, y, width, height`` in pixels and ``split`` (train, val or test). A row without a box
describes the whole image. Paths are relative to the table.

The split is that of ``data.splits=FILE`` (image paths as ids), else that of the split column. Without either 80 % of
the images are for training, 10 % for validation and 10 % for the test, drawn by ``data.split_seed``; with fewer than
ten images all are for training.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from densecap.data.reader import NO_SPLIT, WHOLE_IMAGE, Reader
from densecap.data.splits import SPLIT_NAMES, find_splits, read_splits, seeded_splits
from densecap.errors import UserError
from densecap.structures import ImageRecord

_COLUMNS = {
    "image": ("image", "path", "file", "image_path", "filename"),
    "caption": ("caption", "phrase", "text"),
    "split": ("split",),
    "x": ("x",),
    "y": ("y",),
    "width": ("width", "w"),
    "height": ("height", "h"),
}
_BOX_COLUMNS = ("x", "y", "width", "height")

Box = tuple[float, float, float, float]


@dataclass
class _Image:
    """The rows of one image: its split as stated, "" when not, and its regions."""

    split: str
    boxes: list[Box] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)


class CsvTable(Reader):
    """Reads ``table`` (comma, semicolon or tab separated, UTF-8), which lies in ``root`` or anywhere by its full path.

    UserError, naming the line, for a table that cannot be understood.
    """

    how_to_get = "point it to the folder that holds your table captions.csv"

    def __init__(
        self, root: str | Path, table: str = "captions.csv", splits: str | Path | None = None, split_seed: int = 0
    ) -> None:
        super().__init__(root)
        self.table = self.root / Path(table).expanduser()
        self.split_seed = split_seed
        if not self.table.is_file():
            raise UserError(f"{self.table} does not exist: name your table with data.table=FILE")
        self.splits_path = None if splits is None else find_splits(self.root, splits)

    @property
    def sources(self) -> list[Path]:
        return [self.table, *([self.splits_path] if self.splits_path else [])]

    def records(self) -> Iterator[ImageRecord]:
        """One record an image, in the order of the table."""
        images = self._read_images()
        splits = self._splits(images)
        for name, image in images.items():
            if name in splits:
                yield ImageRecord(name, self.table.parent / name, splits[name], np.array(image.boxes), image.captions)
            else:
                self.dropped_images[NO_SPLIT, "-"] += 1

    def _splits(self, images: dict[str, _Image]) -> dict[str, str]:
        """Image path -> split."""
        if self.splits_path is not None:
            self.facts["splits"] = self.splits_path.name
            return read_splits(self.splits_path)
        if all(image.split for image in images.values()):
            self.facts["splits"] = "the split column"
            return {name: image.split for name, image in images.items()}
        self.facts["splits"] = f"drawn by data.split_seed={self.split_seed}"
        return seeded_splits(images, self.split_seed)

    def _read_images(self) -> dict[str, _Image]:
        images: dict[str, _Image] = {}
        for line, row in self._rows():
            name, split = row["image"], row.get("split", "").lower()
            if not name:
                raise UserError(f"{self.table}, line {line}: the image column is empty")
            if "split" in row and split not in SPLIT_NAMES:
                raise UserError(f"{self.table}, line {line}: the split is train, val or test, got {row['split']!r}")
            image = images.setdefault(name, _Image(SPLIT_NAMES.get(split, "")))
            if image.split != SPLIT_NAMES.get(split, ""):
                raise UserError(f"{self.table}, line {line}: {name} is in {image.split} above and in {split} here")
            image.boxes.append(self._box(line, row))
            image.captions.append(row["caption"])
        if not images:
            raise UserError(f"{self.table} has no rows below its line of column names")
        return images

    def _rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        """(line number, our column name -> value) of each row that is not blank."""
        try:
            with self.table.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.reader(file, delimiter=_delimiter(self.table, file.readline()), strict=True)
                file.seek(0)
                places = self._places(next(reader, []))
                for values in reader:
                    if not any(value.strip() for value in values):
                        continue
                    if len(values) <= max(places.values()):
                        names = ", ".join(places)
                        raise UserError(f"{self.table}, line {reader.line_num}: fewer values than columns ({names})")
                    yield reader.line_num, {name: values[place].strip() for name, place in places.items()}
        except UnicodeDecodeError:
            raise UserError(f"{self.table} is not UTF-8: save it as CSV UTF-8") from None
        except csv.Error as error:
            raise UserError(f"{self.table}, line {reader.line_num}: {error}") from None

    def _places(self, header: list[str]) -> dict[str, int]:
        """Our column name -> its place in a row."""
        names = [name.strip().lower() for name in header]
        places = {
            ours: next(names.index(name) for name in theirs if name in names)
            for ours, theirs in _COLUMNS.items()
            if any(name in names for name in theirs)
        }
        for needed in ("image", "caption"):
            if needed not in places:
                wanted = " or ".join(_COLUMNS[needed][:3])
                raise UserError(f"{self.table}, line 1: no column {wanted} among {', '.join(header) or 'nothing'}")
        absent = [name for name in _BOX_COLUMNS if name not in places]
        if 0 < len(absent) < 4:
            raise UserError(f"{self.table}, line 1: a box needs x, y, width and height, missing: {', '.join(absent)}")
        return places

    def _box(self, line: int, row: dict[str, str]) -> Box:
        values = [row.get(name, "") for name in _BOX_COLUMNS]
        if not any(values):
            return WHOLE_IMAGE
        try:
            x, y, width, height = map(float, values)
        except ValueError:
            raise UserError(f"{self.table}, line {line}: the box {', '.join(values)} is not four numbers") from None
        if not all(map(math.isfinite, (x, y, width, height))):
            raise UserError(f"{self.table}, line {line}: the box {', '.join(values)} is not four finite numbers")
        return x, y, x + width, y + height


def _delimiter(table: Path, header: str) -> str:
    """Tab for .tsv files, else whichever of comma, semicolon and tab is most frequent in the header."""
    return "\t" if table.suffix.lower() == ".tsv" else max(",;\t", key=header.count)
