"""Flickr8K (Hodosh, Young and Hockenmaier 2013): 8,091 photos, five captions each, 6,000/1,000/1,000 of them in splits.

    root/
      Flicker8k_Dataset/1000268201_693b08cb0e.jpg ...      as its archive spells it; Flickr8k_Dataset or Images too
      Flickr8k_text/Flickr8k.token.txt                     or in root
      Flickr8k_text/Flickr_8k.trainImages.txt, Flickr_8k.devImages.txt, Flickr_8k.testImages.txt

The id of an image is its file name without ".jpg". The token file also has captions of a photo that nobody has,
"2258277193_586949ec62.jpg.1", and 91 of the photos are in none of the three lists; both are counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from densecap.data.flickr_captions import CaptionFile, first_existing, photo_id, photos_in, read_caption_file
from densecap.data.split_lists import SplitList, read_list_files, read_split_list
from densecap.data.whole_images import (
    MALFORMED_CAPTION,
    REPEATED_CAPTION,
    UNKNOWN_IMAGE,
    CaptionedImage,
    WholeImages,
)
from densecap.structures import ImageRecord

PHOTO_FOLDERS = ("Flicker8k_Dataset", "Flickr8k_Dataset", "Images", "images")
LISTS = {"train": "Flickr_8k.trainImages.txt", "val": "Flickr_8k.devImages.txt", "test": "Flickr_8k.testImages.txt"}


class Flickr8k(WholeImages):
    """Reads Flickr8K's own layout; ``splits`` is another list of splits, None takes the three official ones."""

    how_to_get = "fetch it with `python -m densecap download data=flickr8k`, or point data.root to it"
    id_space = "flickr"

    def __init__(self, root: str | Path, splits: str | Path | None = None) -> None:
        super().__init__(root)
        self.photos = self._place(*PHOTO_FOLDERS, what="photos")
        self.token_file = self._text("Flickr8k.token.txt")
        self.listed = self._official() if splits is None else read_split_list(splits, photo_id)

    @property
    def sources(self) -> list[Path]:
        return [self.token_file, *self.listed.sources]

    @property
    def expected_images(self) -> int:
        return len(self.listed.splits)

    def records(self) -> Iterator[ImageRecord]:
        """One record for each photo of a split, in the order of the token file."""
        found = read_caption_file(self.token_file)
        self.dropped_regions[MALFORMED_CAPTION, "-"] += found.malformed
        self.dropped_regions[REPEATED_CAPTION, "-"] += found.repeated
        yield from self.joined(self._images(found), self.listed)

    def _images(self, found: CaptionFile) -> Iterator[CaptionedImage]:
        photos = photos_in(self.photos)
        for name, captions in found.captions.items():
            image_id = photo_id(name)
            if image_id in photos or image_id in self.listed.splits:
                path = photos.get(image_id, self.photos / name)
                yield CaptionedImage(image_id, path, [captions[number] for number in sorted(captions)])
            else:
                self.dropped_regions[UNKNOWN_IMAGE, "-"] += len(captions)

    def _official(self) -> SplitList:
        files = {split: self._text(name) for split, name in LISTS.items()}
        return read_list_files(files, photo_id, "the official lists")

    def _text(self, name: str) -> Path:
        return self._place(f"Flickr8k_text/{name}", name, what=name)

    def _place(self, *names: str, what: str) -> Path:
        return first_existing(self.root, names, what, self.how_to_get)
