"""COCO's photos in the folders of any year, by the one number that a photo keeps.

    train2014/COCO_train2014_000000000009.jpg  val2014/...  test2014/COCO_test2014_...  test2015/COCO_test2015_...
    train2017/000000000009.jpg                 val2017/...  test2017/...

The folders lie in the root or in its folder ``images``. 2017 cut the photos of 2014 into other folders; the numbers
stayed, so a list of either year finds its photos in both layouts.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

FOLDERS = ("train2014", "val2014", "train2017", "val2017", "test2014", "test2015", "test2017")
_NAME = re.compile(r"(?:.*/)?(?:COCO_[a-z]+\d{4}_)?0*(\d+)(?:\.[A-Za-z]+)?")


def coco_id(name: str) -> str:
    """The number in any name of a photo: "val2014/COCO_val2014_000000000042.jpg" and "000000000042" are "42".

    Any other name is left as it is.
    """
    match = _NAME.fullmatch(name)
    return match[1] if match else name


def image_folders(root: Path) -> list[Path]:
    """The folders of photos that are there."""
    return [base / name for base in (root, root / "images") for name in FOLDERS if (base / name).is_dir()]


def find_images(root: Path) -> dict[str, Path]:
    """Number -> file of all photos below ``root``."""
    found: dict[str, Path] = {}
    for folder in image_folders(root):
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(".jpg"):
                    found.setdefault(coco_id(entry.name), folder / entry.name)
    return found
