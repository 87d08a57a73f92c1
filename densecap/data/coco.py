"""MS COCO captions (Chen et al. 2015), in the layout of 2014 or of 2017; five or so sentences for a photo.

    root/
      annotations/captions_train2014.json, captions_val2014.json     or those of 2017; or in root
      annotations/image_info_test2014.json                           optional: the test images, without captions
      train2014/ val2014/ ...                                        see ``densecap.data.coco_images``
      dataset_coco.json                                              Karpathy's split, or karpathy_{val,test}_images.txt
      MRNN_split_dict.npy                                            m-RNN's split

Image 167126 was a broken JPEG as it was published, and lists of splits leave it out; it is never used here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from densecap.data.coco_images import find_images, image_folders
from densecap.data.coco_splits import coco_split_list
from densecap.data.split_lists import SplitList
from densecap.data.text_files import read_json
from densecap.data.whole_images import (
    MALFORMED_CAPTION,
    REPEATED_CAPTION,
    REPEATED_IMAGE,
    UNKNOWN_IMAGE,
    CaptionedImage,
    WholeImages,
)
from densecap.errors import UserError
from densecap.structures import ImageRecord

YEARS = ("2014", "2017")
BROKEN = {"167126"}
BROKEN_IMAGE = "broken as published (167126)"


class Coco(WholeImages):
    """Reads COCO's captions. ``split_list`` is karpathy (113,287/5,000/5,000), mrnn (118,287/4,000/1,000, m-RNN's own)
    or official (train and val as published in that year); ``splits`` is another list and comes first.

    ``version`` is the year of the annotations; without those of that year the other's are read, where the split does
    not depend on it. UserError for files that are missing or something else.
    """

    how_to_get = "fetch it with `python -m densecap download data=coco`, or point data.root to it"
    id_space = "coco"

    def __init__(
        self,
        root: str | Path,
        version: str = "2014",
        split_list: str = "karpathy",
        splits: str | Path | None = None,
    ) -> None:
        super().__init__(root)
        if str(version) not in YEARS:
            raise UserError(f"data.version is 2014 or 2017, got {version}")
        self.listed = coco_split_list(self.root, split_list, splits)
        self.year, self.files = self._annotation_files(str(version), fixed=self.listed is None)
        if not image_folders(self.root):
            raise UserError(f"{self.root} holds no photos (looked for train{self.year}, val{self.year} and the like)")

    @property
    def sources(self) -> list[Path]:
        return [*self.files.values(), *(self.listed.sources if self.listed else ())]

    @property
    def expected_images(self) -> int:
        return len(self.listed.splits) if self.listed and not self.listed.rest else 123_287

    def records(self) -> Iterator[ImageRecord]:
        """One record for each photo of a split, in the order of the annotations."""
        images, official = self._read_images()
        self.facts["captions"] = f"annotations of {self.year}"
        listed = self.listed or SplitList(f"the official split of {self.year}", official)
        for image_id in BROKEN & set(official):
            self.dropped_images[BROKEN_IMAGE, listed.splits.get(image_id, "-")] += 1
        splits = {image_id: split for image_id, split in listed.splits.items() if image_id not in BROKEN}
        whole = [image for image in images if image.image_id not in BROKEN]
        yield from self.joined(whole, replace(listed, splits=splits))
        if tests := self.test_images():
            self.facts["test images without captions"] = f"{len(tests):,}: describe their folder with predict"

    def test_images(self) -> list[str]:
        """Ids of the test images that COCO's server wants described, as far as their list is there."""
        path = self._annotations(f"image_info_test{self.year}.json")
        return [str(image["id"]) for image in _lists(path, "images")["images"]] if path else []

    def _read_images(self) -> tuple[list[CaptionedImage], dict[str, str]]:
        """All captioned images, and image id -> the split whose file has it."""
        found, official, paths = [], {}, find_images(self.root)
        for split, file in self.files.items():
            content = _lists(file, "images", "annotations")
            captions = self._captions(content["annotations"])
            for image in content["images"]:
                image_id, name = _image(image, file)
                if image_id in official:
                    self.dropped_images[REPEATED_IMAGE, "-"] += 1
                    continue
                official[image_id] = split
                path = paths.get(image_id, self.root / f"{split}{self.year}" / name)
                found.append(CaptionedImage(image_id, path, captions.pop(image_id, [])))
            self.dropped_regions[UNKNOWN_IMAGE, "-"] += sum(map(len, captions.values()))
        return found, official

    def _captions(self, annotations: list[Any]) -> dict[str, list[str]]:
        """Image id -> captions in order."""
        found: dict[str, list[str]] = {}
        numbers: set[str] = set()
        for entry in annotations:
            caption = entry.get("caption") if isinstance(entry, dict) else None
            if not isinstance(caption, str) or "image_id" not in entry:
                self.dropped_regions[MALFORMED_CAPTION, "-"] += 1
            elif str(entry.get("id")) in numbers:
                self.dropped_regions[REPEATED_CAPTION, "-"] += 1
            else:
                if "id" in entry:
                    numbers.add(str(entry["id"]))
                found.setdefault(str(entry["image_id"]), []).append(caption)
        return found

    def _annotation_files(self, version: str, fixed: bool) -> tuple[str, dict[str, Path]]:
        """The year and split -> file; of ``fixed`` years no other is taken."""
        for year in (version, *(other for other in YEARS if other != version)):
            files = {split: self._annotations(f"captions_{split}{year}.json") for split in ("train", "val")}
            there = {split: path for split, path in files.items() if path is not None}
            if there and fixed and year != version:
                raise UserError(
                    f"{self.root} has the captions of {year}, not those of {version}: choose data.version={year}"
                )
            if there:
                self.problems += [f"captions_{split}{year}.json is not there" for split in files if split not in there]
                return year, there
        raise UserError(f"{self.root} holds no captions_train{version}.json or captions_val{version}.json")

    def _annotations(self, name: str) -> Path | None:
        return next((path for path in (self.root / "annotations" / name, self.root / name) if path.is_file()), None)


def _lists(path: Path, *keys: str) -> dict[str, list[Any]]:
    """A COCO file; UserError when a list it needs is missing."""
    content = read_json(path)
    for key in keys:
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise UserError(f"{path} is no annotation file of COCO: it has no list {key!r}")
    return content


def _image(image: Any, path: Path) -> tuple[str, str]:
    """Id and file name of an entry of ``images``."""
    try:
        return str(image["id"]), str(image["file_name"])
    except (KeyError, TypeError):
        raise UserError(f"{path}: an entry of images lacks id or file_name: {image!r:.80}") from None
