"""Visual Genome's region descriptions (Krishna et al. 2017), versions 1.0 and 1.2, and whatever has their layout.

    root/
      region_descriptions.json   [{"id" or "image_id": 1, "regions": [{"phrase", "x", "y", "width", "height", ...}]}]
      image_data.json            optional: [{"id" or "image_id": 1, "width": 800, "height": 600, ...}]
      splits.json                or densecap_splits.json, or data.splits=FILE: {"train": [ids], "val": [], "test": []}
      VG_100K/1.jpg  VG_100K_2/2.jpg  images/3.jpg          any of the three folders, <image id>.<jpg, png, ...>

A row (x, y, width, height) is the box (x, y, x + width, y + height) in continuous pixels.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from densecap.data.images import IMAGE_SUFFIXES
from densecap.data.json_stream import iterate_json_array
from densecap.data.reader import NO_SPLIT, Reader
from densecap.data.splits import DENSECAP_SPLITS_SHA256, find_splits, read_splits, sha256_of_file
from densecap.errors import UserError
from densecap.structures import ImageRecord

VERSIONS = ("1.0", "1.2")
IMAGE_FOLDERS = ("VG_100K", "VG_100K_2", "images")

NO_REGIONS = "no regions annotated"
NOT_ANNOTATED = "in the list of splits, but not annotated"
MALFORMED = "malformed annotation"
REPEATED = "annotated a second time"


class VisualGenome(Reader):
    """Reads a folder in Visual Genome's layout; ``splits`` is a split file, None looks for one in ``root``.

    Both versions are read whatever ``version`` says, which names the files that ``download`` fetches and is noted in
    the prepared file. UserError when a needed file or folder is missing.
    """

    how_to_get = (
        "fetch it with `python -m densecap download data=visual_genome`, "
        "or point data.root to the folder that holds region_descriptions.json"
    )

    def __init__(self, root: str | Path, splits: str | Path | None = None, version: str = "1.2") -> None:
        super().__init__(root)
        if str(version) not in VERSIONS:
            raise UserError(f"data.version is one of {', '.join(VERSIONS)}, got {version}")
        self.annotations = self.root / "region_descriptions.json"
        if not self.annotations.is_file():
            raise UserError(f"{self.annotations} does not exist: {self.how_to_get}")
        if not any((self.root / folder).is_dir() for folder in IMAGE_FOLDERS):
            raise UserError(f"{self.root} holds no images: expected a folder {', '.join(IMAGE_FOLDERS[:2])} or images")
        self.splits_path = find_splits(self.root, splits)
        self.splits = read_splits(self.splits_path)

    @property
    def sources(self) -> list[Path]:
        sizes = self.root / "image_data.json"
        return [self.annotations, self.splits_path, *([sizes] if sizes.is_file() else [])]

    @property
    def expected_images(self) -> int:
        return len(self.splits)

    def records(self) -> Iterator[ImageRecord]:
        """One record for each image that is in a split and has a readable region; the rest is counted."""
        published = sha256_of_file(self.splits_path) == DENSECAP_SPLITS_SHA256
        self.facts["splits"] = f"{self.splits_path.name}: {'the published DenseCap split' if published else 'your own'}"
        self._read_sizes()
        paths, seen = self._image_paths(), set()
        for entry in iterate_json_array(self.annotations):
            image_id, regions = _image_id_and_regions(entry)
            if image_id is None:
                self.dropped_images[MALFORMED, "-"] += 1
            elif image_id not in self.splits:
                self.dropped_images[NO_SPLIT, "-"] += 1
            elif image_id in seen:
                self.dropped_images[REPEATED, self.splits[image_id]] += 1
            else:
                seen.add(image_id)
                path = paths.get(image_id, self.root / IMAGE_FOLDERS[0] / f"{image_id}.jpg")
                record = self._record(image_id, path, regions)
                if record.captions:
                    yield record
        for image_id, split in self.splits.items():
            if image_id not in seen:
                self.dropped_images[NOT_ANNOTATED, split] += 1

    def _record(self, image_id: str, path: Path, regions: list[Any]) -> ImageRecord:
        split = self.splits[image_id]
        boxes, captions = parse_regions(regions)
        if not regions:
            self.dropped_images[NO_REGIONS, split] += 1
        elif not captions:
            self.dropped_images[MALFORMED, split] += 1
        if len(captions) < len(regions):
            self.dropped_regions[MALFORMED, split] += len(regions) - len(captions)
        return ImageRecord(image_id, path, split, boxes, captions)

    def _image_paths(self) -> dict[str, Path]:
        """Image id -> file, of the first folder that has it."""
        found: dict[str, Path] = {}
        for folder in filter(Path.is_dir, (self.root / name for name in IMAGE_FOLDERS)):
            with os.scandir(folder) as entries:
                for entry in entries:
                    stem, dot, ending = entry.name.rpartition(".")
                    if dot + ending.lower() in IMAGE_SUFFIXES:
                        found.setdefault(stem, folder / entry.name)
        return found

    def _read_sizes(self) -> None:
        path = self.root / "image_data.json"
        if not path.is_file():
            return
        try:
            for entry in iterate_json_array(path):
                image_id = str(entry.get("image_id", entry.get("id")))
                self.annotated_sizes[image_id] = (int(entry["height"]), int(entry["width"]))
        except (UserError, KeyError, TypeError, ValueError, AttributeError) as error:
            self.problems.append(f"{path.name} was not used, it is damaged: {error}")


def _image_id_and_regions(entry: Any) -> tuple[str | None, list[Any]]:
    """The id of an entry, None where it cannot be told, and its regions."""
    regions = entry.get("regions") if isinstance(entry, dict) else None
    if not isinstance(regions, list):
        return None, []
    image_id = entry.get("image_id", entry.get("id"))
    if image_id is None and regions and isinstance(regions[0], dict):
        image_id = regions[0].get("image_id")
    return (None if image_id is None else str(image_id)), regions


def parse_regions(regions: list[Any]) -> tuple[np.ndarray, list[str]]:
    """Boxes (R, 4) float64 xyxy and R phrases of region dictionaries; those with missing or odd values are left out."""
    try:
        rows, captions = _parse(regions)
    except (KeyError, TypeError, ValueError):
        rows, captions = _parse([region for region in regions if _is_well_formed(region)])
    rows[:, 2:] += rows[:, :2]  # width, height -> right, bottom
    return rows, captions


def _parse(regions: list[Any]) -> tuple[np.ndarray, list[str]]:
    captions = [region["phrase"] for region in regions]
    rows = [(region["x"], region["y"], region["width"], region["height"]) for region in regions]
    boxes = np.array(rows, dtype=np.float64).reshape(len(regions), 4)
    if not (np.isfinite(boxes).all() and all(isinstance(caption, str) for caption in captions)):
        raise ValueError
    return boxes, captions


def _is_well_formed(region: Any) -> bool:
    try:
        _parse([region])
    except (KeyError, TypeError, ValueError):
        return False
    return True
