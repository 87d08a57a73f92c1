"""Karpathy's dataset_coco.json, dataset_flickr8k.json and dataset_flickr30k.json: captions and splits in one file.

    {"dataset": "coco", "images": [{"filename": "COCO_val2014_000000391895.jpg", "filepath": "val2014",
      "cocoid": 391895, "split": "test", "sentences": [{"raw": "A man ...", "tokens": ["a", "man", ...]}], ...}]}

Only COCO's has ``filepath`` and ``cocoid``. The splits are train, val, test and, in COCO, "restval": images of val2014
that are in neither val nor test, which nearly everybody trains on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from densecap.errors import UserError


@dataclass(frozen=True)
class KarpathyImage:
    """``name`` is COCO's id where the file has one, else the name of the photo's file; ``split`` is as written."""

    name: str
    filename: str
    folder: str
    split: str
    captions: list[str]


def is_karpathy(value: Any) -> bool:
    """Whether a JSON value has the shape of these files."""
    images = value.get("images") if isinstance(value, dict) else None
    return isinstance(images, list) and bool(images) and isinstance(images[0], dict) and "split" in images[0]


def karpathy_images(value: Any, path: Path) -> Iterator[KarpathyImage]:
    """The images of a file in order; UserError that names the entry for a malformed one."""
    if not is_karpathy(value):
        raise UserError(f'{path} has not the form of dataset_coco.json: {{"images": [{{"filename", "split", ...}}]}}')
    for index, image in enumerate(value["images"]):
        try:
            captions = [str(sentence["raw"]) for sentence in image.get("sentences", [])]
            name = str(image.get("cocoid", image["filename"]))
            yield KarpathyImage(name, image["filename"], image.get("filepath", ""), image["split"], captions)
        except (KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{path}: images[{index}] has not the form of dataset_coco.json ({error!r})") from None
