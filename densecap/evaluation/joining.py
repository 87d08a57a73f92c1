"""Which entry of a predictions file is about which image of the split: by id, by file name, by the number in it.

The id of an image and the name of its file are both tried, because predictions of a folder of photos know only file
names, and COCO's lists know only numbers ("000000000139.jpg" is image 139). What fits two images fits none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TypeVar

from densecap.errors import UserError
from densecap.evaluation.predictions import PredictedImage, Predictions
from densecap.evaluation.truth import Truth, TruthImage

Item = TypeVar("Item")

#: How many images of a list are named.
FIRST = 5


@dataclass
class Joined:
    """``found`` (one per image of the split) is its entry or None; the rest are the names of what found no partner.

    ``outside`` are entries about images that are not evaluated, each with the split it belongs to, if any.
    """

    found: list[PredictedImage | None]
    missing: list[str] = field(default_factory=list)
    outside: dict[str, str | None] = field(default_factory=dict)


def join(predictions: Predictions, truth: Truth) -> Joined:
    """Errors: UserError when two entries are about one image, or no entry is about any image of the split."""
    ladder = [by_unique_name(truth.images, key) for key in (_path, _basename, _image_id, _stem, _number)]
    found: dict[str, PredictedImage] = {}
    outside: list[PredictedImage] = []
    for entry in predictions.images:
        image = _find(entry, ladder)
        if image is None:
            outside.append(entry)
        elif image.image_id in found:
            both = f"{found[image.image_id].where} and {entry.where.rpartition(': ')[2]}"
            raise UserError(f"{both} are both about image {image.image_id}: an image has one entry in this format")
        else:
            found[image.image_id] = entry
    others = truth.other_images() if outside else {}
    lost = {entry.name: next((others[name] for name in _names(entry) if name in others), None) for entry in outside}
    if outside and not found:
        raise UserError(_no_partner(predictions, truth, lost))
    missing = [image.image_id for image in truth.images if image.image_id not in found]
    return Joined([found.get(image.image_id) for image in truth.images], missing, lost)


def by_unique_name(images: Sequence[Item], key: Callable[[Item], str | None]) -> dict[str, Item]:
    """Images by a name that only one of them has."""
    index: dict[str, Item] = {}
    repeated = set()
    for image in images:
        name = key(image)
        if name in index:
            repeated.add(name)
        elif name is not None:
            index[name] = image
    return {name: image for name, image in index.items() if name not in repeated}


def _path(image: TruthImage) -> str:
    return image.file


def _basename(image: TruthImage) -> str:
    return PurePosixPath(image.file).name


def _image_id(image: TruthImage) -> str:
    return image.image_id


def _stem(image: TruthImage) -> str:
    return PurePosixPath(image.file).stem


def _number(image: TruthImage) -> str | None:
    return number_in(_stem(image))


def number_in(name: str) -> str | None:
    """The number a file name ends in, without zeros before it: "COCO_val2014_000000000139" has 139."""
    head = name.rstrip("0123456789")
    digits = name[len(head) :]
    return (digits.lstrip("0") or "0") if digits.isascii() and digits else None


def _find(entry: PredictedImage, ladder: list[dict[str, TruthImage]]) -> TruthImage | None:
    paths, basenames, ids, stems, numbers = ladder
    file = entry.file.replace("\\", "/") if entry.file else None
    if file is not None:
        name = PurePosixPath(file).name
        if image := paths.get(file) or basenames.get(name):
            return image
    if entry.image_id is not None:
        if image := ids.get(entry.image_id) or stems.get(entry.image_id):
            return image
        if entry.image_id.isdecimal() and (image := numbers.get(entry.image_id.lstrip("0") or "0")):
            return image
    if file is not None:
        stem = PurePosixPath(file).stem
        return stems.get(stem) or ids.get(stem)
    return None


def _names(entry: PredictedImage) -> list[str]:
    names = [entry.image_id] if entry.image_id is not None else []
    if entry.file is not None:
        path = PurePosixPath(entry.file.replace("\\", "/"))
        names += [entry.file, path.name, path.stem]
    return names


def _no_partner(predictions: Predictions, truth: Truth, outside: dict[str, str | None]) -> str:
    splits = {split for split in outside.values() if split is not None and split != truth.split}
    hint = f"; they are of split {' and '.join(sorted(splits))}" if splits else ""
    theirs, ours = named(list(outside)), named([image.image_id for image in truth.images])
    return (
        f"none of the images in {predictions.path} is among the {len(truth.images)} evaluated of split "
        f"{truth.split} of {truth.name}{hint}: the file has {theirs}, the split has {ours}"
    )


def counted(number: int, noun: str) -> str:
    """A count in words, as "1 image" or "2,000 images"."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def named(names: Sequence[str]) -> str:
    """The first few names of a list, as "1, 2, 3 and 17 more"."""
    more = len(names) - FIRST
    return ", ".join(names[:FIRST]) + (f" and {more} more" if more > 0 else "")
