"""What is true about a split: its images, boxes and phrases, from the prepared file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from densecap.data.hdf5 import SPLITS, RegionFile
from densecap.data.training_images import id_space_of
from densecap.errors import UserError
from densecap.metrics.dense_map.records import Floats


@dataclass(frozen=True)
class TruthImage:
    """One image: ``index`` in the prepared file, ``boxes`` (M, 4) corners in original pixels, ``captions`` M raw."""

    index: int
    image_id: str
    file: str
    width: int
    height: int
    boxes: Floats
    captions: list[str]


class Truth:
    """The images of a split, of which ``max_images`` asks for the first so many.

    Errors: UserError for a split that does not exist or is empty.
    """

    def __init__(self, region_file: RegionFile, split: str, max_images: int | None = None) -> None:
        if split not in SPLITS:
            raise UserError(f"split is one of {', '.join(SPLITS)}, got {split}")
        if max_images is not None and (not isinstance(max_images, int) or max_images < 1):
            raise UserError(f"max_images is a whole number above 0, got {max_images}")
        self.region_file, self.split = region_file, split
        indices = region_file.indices(split)
        if not len(indices):
            counts = ", ".join(f"{name} {len(region_file.indices(name)):,}" for name in SPLITS)
            raise UserError(f"{region_file.path} has no images in split {split} (images: {counts})")
        self.split_size = len(indices)
        self.images: Sequence[TruthImage] = [self._image(int(index)) for index in indices[:max_images]]
        self._places = {image.image_id: image.index for image in self.images}

    @property
    def name(self) -> str:
        """Of the data set."""
        return self.region_file.attrs["name"]

    @property
    def id_space(self) -> str:
        """Whose numbers the image ids are."""
        return id_space_of(self.region_file)

    @property
    def path(self) -> Path:
        return self.region_file.path

    @property
    def num_regions(self) -> int:
        return sum(len(image.captions) for image in self.images)

    @property
    def describes_whole_images(self) -> bool:
        """Whether every true box is its whole image."""
        return all(
            (abs(image.boxes - [0, 0, image.width, image.height]) < 0.5).all() for image in self.images
        )  # an image without boxes contradicts nothing

    @property
    def stored_size(self) -> int:
        """Longest side in pixels of the stored pictures."""
        return int(self.region_file.sizes.max())

    def sources(self) -> dict[str, str]:
        """The annotation files the prepared file was made of, to their SHA-256."""
        sources = self.region_file.attrs["provenance"].get("sources") or []
        return {str(source["file"]): str(source["sha256"]) for source in sources}

    def other_images(self) -> dict[str, str]:
        """Id and file name of all images that are not evaluated, to the split they belong to."""
        chosen = set(self._places.values())
        names: dict[str, str] = {}
        rows = zip(self.region_file.ids, self.region_file.files, self.region_file.splits.tolist())
        for index, (image_id, file, split) in enumerate(rows):
            if index not in chosen:
                names[image_id] = names[Path(file).name] = names[Path(file).stem] = SPLITS[split]
        return names

    def load_image(self, image_id: str) -> Image.Image | None:
        """The picture as it is stored, RGB, maybe smaller than the original; None for an id that is not known."""
        index = self._places.get(image_id)
        if index is None:
            return None
        return Image.open(io.BytesIO(self.region_file.image_bytes(index))).convert("RGB")

    def _image(self, index: int) -> TruthImage:
        height, width = self.region_file.original_sizes[index].tolist()
        boxes = self.region_file.regions(index)[0].astype(np.float64)
        names = self.region_file.ids[index], self.region_file.files[index]
        return TruthImage(index, *names, width, height, boxes, self.region_file.captions(index))
