"""Published lists of splits in the forms they come in, all to image id -> "train", "val" or "test".

* JSON {"train": [ids], "val": [ids], "test": [ids]}, or {id: split};
* Karpathy's dataset_*.json, whose "restval" is for training;
* text with a line for each image, "split/NAME.jpg ID";
* a folder with a text file for each split, named after it (train.txt, karpathy_val_images.txt,
  Flickr_8k.devImages.txt), a line for each image, its first word the id, the file or the path of the file;
* NumPy's .npy of a pickled dictionary {id: split}, of which nothing but numbers and text is unpickled.

Every id goes through ``canonical``, the data set's own way to name an image, so that lists of file names, of paths and
of numbers fit alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from densecap.data.hdf5 import SPLITS
from densecap.data.karpathy_json import is_karpathy, karpathy_images
from densecap.data.pickled_splits import read_pickled_splits
from densecap.data.splits import SPLIT_NAMES, splits_of_lists
from densecap.data.text_files import read_json, read_text
from densecap.errors import UserError

Canonical = Callable[[str], str]

_IN_FILE_NAME = re.compile(r"(?<![a-z])(train|val|dev|test)")
_FORMS = 'JSON {"train": [ids], "val": [...], "test": [...]}, Karpathy\'s dataset_*.json, lines "split/NAME.jpg", or a '
_FORMS += "folder with train.txt, val.txt and test.txt"


@dataclass(frozen=True)
class SplitList:
    """Image id -> split; ``name`` is for people, ``sources`` are the files it was read from.

    ``rest`` is the split of every image that is not listed, None where those are in none.
    """

    name: str
    splits: dict[str, str]
    sources: tuple[Path, ...] = ()
    rest: str | None = None


def read_split_list(path: str | Path, canonical: Canonical) -> SplitList:
    """Any of the forms above. UserError when it is none of them, or puts an image into two splits."""
    path = Path(path).expanduser()
    if path.is_dir():
        return read_list_files(files_of_splits(path), canonical, path.name)
    if not path.is_file():
        raise UserError(f"data.splits={path} is neither a file nor a folder")
    if path.suffix == ".npy":
        pairs: Iterable[tuple[str, str]] = read_pickled_splits(path).items()
    elif path.suffix == ".json":
        pairs = _json_pairs(path)
    else:
        pairs = _line_pairs(path)
    return SplitList(path.name, _assigned(pairs, canonical, path), (path,))


def files_of_splits(folder: Path) -> dict[str, Path]:
    """Split -> the text file of a folder whose name says that it lists it; UserError when two files do."""
    found: dict[str, Path] = {}
    for path in sorted(folder.glob("*.txt")):
        match = _IN_FILE_NAME.search(path.name.lower())
        if match is None:
            continue
        other = found.setdefault(SPLIT_NAMES[match[1]], path)
        if other != path:
            raise UserError(f"{folder} has two lists of one split, {other.name} and {path.name}: leave one there")
    return found


def read_list_files(files: Mapping[str, Path], canonical: Canonical, name: str) -> SplitList:
    """A text file for each split; UserError when the one for training is missing or empty."""
    pairs = [(line, split) for split, path in files.items() for line in first_words(path)]
    where = next(iter(files.values())).parent if files else name
    if "train" not in {split for _, split in pairs}:
        raise UserError(f"{where} has no list of training images: data.splits takes {_FORMS}")
    return SplitList(name, _assigned(pairs, canonical, where), tuple(files.values()))


def first_words(path: Path) -> list[str]:
    """The first word of each line that is not blank."""
    return [line.split()[0] for line in read_text(path).splitlines() if line.strip()]


def _json_pairs(path: Path) -> Iterable[tuple[str, str]]:
    value: Any = read_json(path)
    if is_karpathy(value):
        return [(image.name, image.split) for image in karpathy_images(value, path)]
    if isinstance(value, dict) and value and all(isinstance(split, str) for split in value.values()):
        return value.items()
    return splits_of_lists(value, path).items()


def _line_pairs(path: Path) -> Iterable[tuple[str, str]]:
    for word in first_words(path):
        split, slash, _ = word.partition("/")
        if not slash:
            raise UserError(
                f"{path} does not say which split its images are in: data.splits takes {_FORMS}, and here it lists "
                f"{word!r}"
            )
        yield word, split


def _assigned(pairs: Iterable[tuple[str, str]], canonical: Canonical, where: Path | str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, written in pairs:
        split = SPLIT_NAMES.get(written)
        if split is None:
            raise UserError(f"{where} puts {name} into {written!r}: splits are {', '.join(SPLITS)}")
        image_id = canonical(str(name))
        if found.setdefault(image_id, split) != split:
            raise UserError(f"{where} lists image {image_id} under both {found[image_id]} and {split}")
    return found
