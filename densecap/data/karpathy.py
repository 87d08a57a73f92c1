"""Karpathy's dataset_coco.json, dataset_flickr8k.json and dataset_flickr30k.json with the photos of those data sets.

    root/dataset_coco.json            captions and splits, see ``densecap.data.karpathy_json``
    images/                           the folder that ``data=coco``, ``flickr8k`` or ``flickr30k`` has its photos in

The captions are the raw sentences, and image ids are those of the other readers, so models and predictions of
``data=coco`` fit here. COCO's photos are found in the layout of 2014 and of 2017.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from densecap.data import flickr8k, flickr30k
from densecap.data.coco_images import coco_id, find_images
from densecap.data.flickr_captions import photo_id, photos_in
from densecap.data.karpathy_json import KarpathyImage, karpathy_images
from densecap.data.split_lists import Canonical, SplitList, read_split_list
from densecap.data.splits import SPLIT_NAMES
from densecap.data.text_files import read_json
from densecap.data.whole_images import CaptionedImage, WholeImages
from densecap.errors import UserError
from densecap.structures import ImageRecord

CANONICAL: dict[str, Canonical] = {"coco": coco_id, "flickr8k": photo_id, "flickr30k": photo_id}
PHOTO_FOLDERS = {"flickr8k": flickr8k.PHOTO_FOLDERS, "flickr30k": flickr30k.PHOTO_FOLDERS}


class Karpathy(WholeImages):
    """Reads ``dataset_<dataset>.json`` in ``root``; ``images`` is the folder of the photos, None the root itself.

    ``restval`` adds COCO's images of that name to the training images. ``splits`` is another list of splits.
    """

    how_to_get = "fetch it with `python -m densecap download data=karpathy`, or point data.root to it"

    def __init__(
        self,
        root: str | Path,
        dataset: str = "coco",
        images: str | Path | None = None,
        restval: bool = True,
        splits: str | Path | None = None,
    ) -> None:
        super().__init__(root)
        if dataset not in CANONICAL:
            raise UserError(f"data.dataset is one of {', '.join(CANONICAL)}, got {dataset}")
        self.dataset, self.canonical, self.restval = dataset, CANONICAL[dataset], restval
        self.id_space = "coco" if dataset == "coco" else "flickr"
        self.table = self.root / f"dataset_{dataset}.json"
        if not self.table.is_file():
            raise UserError(f"{self.table} does not exist: {self.how_to_get}")
        self.images = self.root if images is None else Path(images).expanduser()
        if not self.images.is_dir():
            raise UserError(f"data.images={images} is not a folder: it holds the photos of {dataset}")
        self.given = None if splits is None else read_split_list(splits, self.canonical)

    @property
    def sources(self) -> list[Path]:
        return [self.table, *(self.given.sources if self.given else ())]

    def records(self) -> Iterator[ImageRecord]:
        """One record for each image of a split, in the order of the file."""
        images = list(karpathy_images(read_json(self.table), self.table))
        paths = self._photos()
        rows = [self._captioned(image, paths) for image in images]
        yield from self.joined(rows, self.given or self._own_splits(images))

    def _captioned(self, image: KarpathyImage, paths: dict[str, Path]) -> CaptionedImage:
        image_id = self.canonical(image.name)
        return CaptionedImage(
            image_id, paths.get(image_id, self.images / image.folder / image.filename), image.captions
        )

    def _own_splits(self, images: list[KarpathyImage]) -> SplitList:
        used = [image for image in images if self.restval or image.split != "restval"]
        unknown = {image.split for image in used} - set(SPLIT_NAMES)
        if unknown:
            raise UserError(f"{self.table} has a split {min(unknown)!r}: expected {', '.join(SPLIT_NAMES)}")
        splits = {self.canonical(image.name): SPLIT_NAMES[image.split] for image in used}
        rest = " without restval" if len(used) < len(images) else ""
        return SplitList(f"Karpathy's split of {self.dataset}{rest}", splits)

    def _photos(self) -> dict[str, Path]:
        if self.dataset == "coco":
            return find_images(self.images)
        for name in (*PHOTO_FOLDERS[self.dataset], "."):
            photos = photos_in(self.images / name) if (self.images / name).is_dir() else {}
            if photos:
                return photos
        return {}
