"""``predict boxes=...``: boxes that are to be described, typed or from a file, and which image each belongs to.

Files are as in ``densecap.evaluation.box_files``. An image is known by its path, its file name, its id, its name
without ending, or the number that this ends in, whichever fits one entry of the file only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch
from torch import Tensor

from densecap.errors import UserError
from densecap.evaluation.box_files import BoxesOfImage, read_boxes
from densecap.evaluation.boxes import BoxForm
from densecap.evaluation.entries import checked_box, shown
from densecap.evaluation.joining import by_unique_name, number_in
from densecap.prediction.pictures import digest_of
from densecap.prediction.predictor import Predictor
from densecap.prediction.sources import Source, Unread
from densecap.structures import RegionPrediction


class GivenBoxes:
    """The boxes of every image of a file, or the same boxes for each image (``everywhere``)."""

    def __init__(
        self, name: str, form: BoxForm, images: Sequence[BoxesOfImage], everywhere: BoxesOfImage | None = None
    ) -> None:
        self.name, self.form, self.images, self.everywhere = name, form, images, everywhere
        self._ladder = [by_unique_name(images, key) for key in (_frame, _path, _basename, _identifier, _stem, _number)]
        #: Images of the source that the file says nothing about.
        self.without: set[str] = set()

    def files(self) -> list[str]:
        """The files that are named, each once. Errors: UserError when there are none."""
        files = list(dict.fromkeys(image.file for image in self.images if image.file))
        if not files:
            raise UserError(f"boxes={self.name} names no files: say which pictures it is about, source=PATH")
        beside = Path(self.name).parent
        return [file if Path(file).exists() or "://" in file else str(beside / file) for file in files]

    def of(self, item: Unread, width: int, height: int) -> Tensor:
        """The (R, 4) float32 corners for an image of that size, none where the file does not know it.

        Errors: UserError for a box that has no area or lies outside.
        """
        found = self.everywhere or self._find(item)
        if found is None:
            self.without.add(item.image_id)
            return torch.zeros(0, 4)
        boxes = self.form.boxes(np.array(found.numbers, np.float64).reshape(-1, 4), width, height)
        if found.width and found.height:
            boxes *= np.array([width / found.width, height / found.height] * 2)
        for row, (x1, y1, x2, y2) in enumerate(boxes.tolist()):
            if min(x2, width) <= max(x1, 0) or min(y2, height) <= max(y1, 0):
                numbers = shown(found.numbers[row])
                raise UserError(
                    f"has {width} x {height} pixels, of which box {row} of {found.where} covers none: {numbers}"
                )
        return torch.from_numpy(boxes).float()

    @property
    def digest(self) -> str:
        """What tells these boxes from others."""
        rows = [(image.file, image.image_id, image.frame, image.numbers, image.width) for image in self._all]
        return digest_of([self.form.words, rows])

    def described_by(
        self, predictor: Predictor, items: Sequence[Unread], images: Sequence[Tensor]
    ) -> list[list[RegionPrediction]]:
        """Captions of (3, H, W) uint8 images' boxes, in the order they are given."""
        boxes = [self.of(item, image.shape[-1], image.shape[-2]) for item, image in zip(items, images)]
        return predictor.caption_boxes(images, boxes)

    def check(self, source: Source) -> Source:
        """The source, in which an image whose boxes do not fit counts as one that cannot be read."""
        return _Checked(source, self)

    @property
    def _all(self) -> list[BoxesOfImage]:
        return [*self.images, *([] if self.everywhere is None else [self.everywhere])]

    def _find(self, item: Unread) -> BoxesOfImage | None:
        if item.frame is not None:
            return self._ladder[0].get(f"{item.frame.source}#{item.frame.index}")
        path = PurePosixPath(item.name.replace("\\", "/"))
        names = (str(path), path.name, item.image_id, path.stem)
        for index, name in zip(self._ladder[1:], names):
            if name in index:
                return index[name]
        number = number_in(path.stem)
        return None if number is None else self._ladder[-1].get(number)


@dataclass(frozen=True)
class _Checked:
    source: Source
    boxes: GivenBoxes

    @property
    def total(self) -> int | None:
        return self.source.total

    def __iter__(self) -> Iterator[Unread]:
        for item in self.source:
            yield replace(item, read=partial(self._read, item))

    def _read(self, item: Unread) -> Tensor:
        image = item.read()
        self.boxes.of(item, image.shape[-1], image.shape[-2])
        return image


def open_boxes(given: Any) -> GivenBoxes:
    """Boxes that were typed ([[x1, y1, x2, y2], ...], for each image of the source), or those of a file.

    Errors: UserError when they cannot be read, naming file and entry.
    """
    if isinstance(given, str):
        return GivenBoxes(given, *read_boxes(Path(given).expanduser()))
    rows = [checked_box(list(box) if isinstance(box, Sequence) else box, "boxes") for box in given]
    return GivenBoxes("typed", BoxForm(), (), BoxesOfImage("boxes", None, None, numbers=rows))


def _frame(image: BoxesOfImage) -> str | None:
    return None if image.frame is None else f"{image.file}#{image.frame}"


def _path(image: BoxesOfImage) -> str | None:
    return None if image.file is None or image.frame is not None else str(PurePosixPath(image.file.replace("\\", "/")))


def _basename(image: BoxesOfImage) -> str | None:
    path = _path(image)
    return None if path is None else PurePosixPath(path).name


def _identifier(image: BoxesOfImage) -> str | None:
    return image.image_id


def _stem(image: BoxesOfImage) -> str | None:
    path = _path(image)
    return None if path is None else PurePosixPath(path).stem


def _number(image: BoxesOfImage) -> str | None:
    name = _stem(image) or image.image_id or ""
    return number_in(name)
