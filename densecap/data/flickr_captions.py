"""The caption files of Flickr8K and Flickr30K, and where photos and files lie below a root.

Flickr8k.token.txt, results_20130124.token    1000268201_693b08cb0e.jpg#0<tab>A child in a pink dress ...
results.csv                                   1000092795.jpg| 0| Two young guys ...
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from densecap.data.images import IMAGE_SUFFIXES
from densecap.data.text_files import read_text
from densecap.errors import UserError

_TOKEN_LINE = re.compile(r"(.+)#(\d+)\t(.*)")
#: One line of the table that goes round lacks its second bar: "2199200615.jpg| 4   A dog runs across the grass .".
_TABLE_LINE = re.compile(r"\s*([^|]+?)\s*\|\s*(\d+)\s*(?:\|\s*|\s+)(.*)")


@dataclass
class CaptionFile:
    """File name of a photo -> number of a caption -> caption; lines that were not understood or said it again."""

    captions: dict[str, dict[int, str]] = field(default_factory=dict)
    malformed: int = 0
    repeated: int = 0


def read_caption_file(path: Path) -> CaptionFile:
    """Either form, told apart by the first line. UserError when no line is in its form."""
    lines = read_text(path).splitlines()
    is_table = bool(lines) and lines[0].lstrip().lower().startswith("image_name")
    pattern, found = (_TABLE_LINE if is_table else _TOKEN_LINE), CaptionFile()
    for line in lines[1 if is_table else 0 :]:
        match = pattern.fullmatch(line)
        if match is None:
            found.malformed += bool(line.strip())
            continue
        name, number, caption = match[1].strip(), int(match[2]), match[3].strip()
        own = found.captions.setdefault(name, {})
        if number in own:
            found.repeated += 1
        else:
            own[number] = caption
    if not found.captions:
        form = "NAME.jpg| NUMBER| CAPTION" if is_table else "NAME.jpg#NUMBER<tab>CAPTION"
        raise UserError(f"{path} holds no line of the form {form}: fetch it again")
    return found


def photo_id(name: str) -> str:
    """The name of a photo without folders and without the suffix of an image file: "1000268201_693b08cb0e"."""
    path = PurePosixPath(name)
    return path.stem if path.suffix.lower() in IMAGE_SUFFIXES else path.name


def photos_in(folder: Path) -> dict[str, Path]:
    """Id -> file of all photos directly in a folder."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if Path(entry.name).suffix.lower() in IMAGE_SUFFIXES]
    return {photo_id(name): folder / name for name in sorted(names)}


def first_existing(root: Path, names: Sequence[str], what: str, how_to_get: str) -> Path:
    """The first of ``names`` that is there below ``root``; UserError that names them all when none is."""
    for name in names:
        if (root / name).exists():
            return root / name
    raise UserError(f"{root} holds no {what} (looked for {', '.join(names)}): {how_to_get}")
