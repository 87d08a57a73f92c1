"""Flickr8K (Hodosh, Young and Hockenmaier 2013): 8,091 photos, five captions each, 6,000/1,000/1,000 of them in splits.

    root/
      Flicker8k_Dataset/1000268201_693b08cb0e.jpg ...      as its archive spells it; Flickr8k_Dataset or Images too
      Flickr8k_text/Flickr8k.token.txt                     or in root
      Flickr8k_text/Flickr_8k.trainImages.txt, Flickr_8k.devImages.txt, Flickr_8k.testImages.txt

The id of an image is its file name without ".jpg". The token file also has captions of a photo that nobody has,
"2258277193_586949ec62.jpg.1", and 91 of the photos are in none of the three lists; both are counted.
"""

from __future__ import annotations

from pathlib import Path

from densecap.data.flickr_captions import first_existing, photo_id
from densecap.data.flickr_photos import FlickrPhotos
from densecap.data.split_lists import SplitList, read_list_files, read_split_list

PHOTO_FOLDERS = ("Flicker8k_Dataset", "Flickr8k_Dataset", "Images", "images")
LISTS = {"train": "Flickr_8k.trainImages.txt", "val": "Flickr_8k.devImages.txt", "test": "Flickr_8k.testImages.txt"}


class Flickr8k(FlickrPhotos):
    """Reads Flickr8K's own layout; ``splits`` is another list of splits, None takes the three official ones."""

    how_to_get = "fetch it with `python -m densecap download data=flickr8k`, or point data.root to it"

    def __init__(self, root: str | Path, splits: str | Path | None = None) -> None:
        super().__init__(root)
        self.photos = self._place(*PHOTO_FOLDERS, what="photos")
        self.captions_file = self._text("Flickr8k.token.txt")
        self.listed = self._official() if splits is None else read_split_list(splits, photo_id)

    def _official(self) -> SplitList:
        files = {split: self._text(name) for split, name in LISTS.items()}
        return read_list_files(files, photo_id, "the official lists")

    def _text(self, name: str) -> Path:
        return self._place(f"Flickr8k_text/{name}", name, what=name)

    def _place(self, *names: str, what: str) -> Path:
        return first_existing(self.root, names, what, self.how_to_get)
