"""Base of the readers of whole-image captions: images and captions meet the list of splits, the rest is counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from densecap.data.reader import NO_SPLIT, WHOLE_IMAGE, Reader
from densecap.data.split_lists import SplitList
from densecap.errors import UserError
from densecap.structures import ImageRecord

NOT_ANNOTATED = "in the list of splits, but not annotated"
NO_CAPTION = "no caption annotated"
REPEATED_IMAGE = "annotated a second time"
REPEATED_CAPTION = "caption given a second time"
MALFORMED_CAPTION = "malformed caption"
UNKNOWN_IMAGE = "caption of an image that is not there"


@dataclass(frozen=True)
class CaptionedImage:
    """One image and what people said about it, of any split or none."""

    image_id: str
    path: Path
    captions: list[str]


class WholeImages(Reader):
    """Subclasses find images and captions and say which list of splits counts; ``joined`` makes records of them."""

    def joined(self, images: Iterable[CaptionedImage], listed: SplitList) -> Iterator[ImageRecord]:
        """One record for each image that is in a split and has captions.

        UserError when none of the images is in the list: then the list is of something else.
        """
        seen: set[str] = set()
        others: list[str] = []
        for image in images:
            split = listed.splits.get(image.image_id, listed.rest)
            if split is None:
                self.dropped_images[NO_SPLIT, "-"] += 1
                others.append(image.image_id)
            elif image.image_id in seen:
                self.dropped_images[REPEATED_IMAGE, split] += 1
            elif not image.captions:
                seen.add(image.image_id)
                self.dropped_images[NO_CAPTION, split] += 1
            else:
                seen.add(image.image_id)
                boxes = np.tile(np.array(WHOLE_IMAGE), (len(image.captions), 1))  # (R, 4)
                yield ImageRecord(image.image_id, image.path, split, boxes, image.captions)
        self._account(seen, others, listed)

    def _account(self, seen: set[str], others: Sequence[str], listed: SplitList) -> None:
        """Count what has no partner."""
        self.facts["splits"] = listed.name
        if others and not seen:
            raise UserError(
                f"none of the {len(others):,} images in {self.root} is in {listed.name}: "
                f"the images are {some(others)}, the list has {some(list(listed.splits))}"
            )
        for image_id, split in listed.splits.items():
            if image_id not in seen:
                self.dropped_images[NOT_ANNOTATED, split] += 1
        if others:
            self.problems.append(
                f"{len(others):,} captioned images are in no split of {listed.name} and left out ({some(others)})"
            )


def some(names: Sequence[str], most: int = 3) -> str:
    """The first names of a list."""
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
