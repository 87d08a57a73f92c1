"""Which image belongs to train, val or test: split lists from files, and a seeded split where there is none."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from densecap.data.hdf5 import SPLITS
from densecap.errors import UserError

#: The split list published with DenseCap: 77,398 / 5,000 / 5,000 Visual Genome image ids.
DENSECAP_SPLITS_SHA256 = "b8994337972228a57a401f63c5cc7f10b13f4b87261483222185968ef04f4742"

#: What a split is called, to what it is called here; "restval" is Karpathy's word for more of COCO's training images.
SPLIT_NAMES = {
    "train": "train",
    "restval": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
}

#: Names under which a split list is looked for in the root of a data set.
SPLIT_FILES = ("splits.json", "densecap_splits.json")


def find_splits(root: Path, given: str | Path | None) -> Path:
    """The split list: the ``given`` file, else one of ``SPLIT_FILES`` in ``root``; UserError when there is none."""
    if given is not None:
        path = Path(given).expanduser()
        if not path.is_file():
            raise UserError(f"data.splits={given} is not a file")
        return path
    for name in SPLIT_FILES:
        if (root / name).is_file():
            return root / name
    raise UserError(
        f"{root} holds no list of splits ({' or '.join(SPLIT_FILES)}): fetch DenseCap's with "
        "`python -m densecap download data=visual_genome only=[splits]`, or give your own with data.splits=FILE"
    )


def read_splits(path: Path) -> dict[str, str]:
    """Image id -> "train", "val" or "test" from a JSON object {"train": [ids], "val": [ids], "test": [ids]}.

    A missing list counts as empty. UserError when the file is something else, or puts an image into two splits.
    """
    try:
        lists = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError):
        raise UserError(
            f"{path} is not JSON: a list of splits is an object with the lists train, val and test"
        ) from None
    return splits_of_lists(lists, path)


def splits_of_lists(lists: Any, path: Path) -> dict[str, str]:
    """The same from the value in the JSON file ``path``."""
    if not isinstance(lists, dict) or not all(isinstance(lists.get(split, []), list) for split in SPLITS):
        raise UserError(f"{path} is no list of splits: it has to be an object with the lists train, val and test")
    if not lists.get("train"):
        raise UserError(f"{path} lists no image for training: the list train is missing or empty")
    found: dict[str, str] = {}
    for split in SPLITS:
        for image_id in map(str, lists.get(split, [])):
            if found.setdefault(image_id, split) != split:
                raise UserError(f"{path} lists image {image_id} under both {found[image_id]} and {split}")
    return found


def seeded_splits(image_ids: Iterable[str], seed: int) -> dict[str, str]:
    """80 % train, 10 % val and 10 % test of the images, drawn by ``seed``; below ten images all are for training.

    The draw depends on the ids and the seed alone, not on their order.
    """
    ordered = sorted(set(image_ids))
    if len(ordered) < 10:
        return dict.fromkeys(ordered, "train")
    random.Random(seed).shuffle(ordered)
    tenth = len(ordered) // 10
    held_out = dict.fromkeys(ordered[:tenth], "val") | dict.fromkeys(ordered[tenth : 2 * tenth], "test")
    return dict.fromkeys(ordered, "train") | held_out


def sha256_of_file(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
