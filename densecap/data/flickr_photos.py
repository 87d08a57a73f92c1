"""Base of the readers of Flickr8K and Flickr30K: photos in a folder, captions in a token file or table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from densecap.data.flickr_captions import photo_id, photos_in, read_caption_file
from densecap.data.split_lists import SplitList
from densecap.data.whole_images import (
    MALFORMED_CAPTION,
    REPEATED_CAPTION,
    UNKNOWN_IMAGE,
    CaptionedImage,
    WholeImages,
)
from densecap.structures import ImageRecord


class FlickrPhotos(WholeImages):
    """Subclasses set ``photos``, the folder, ``captions_file`` and ``listed`` in their constructors."""

    id_space = "flickr"
    photos: Path
    captions_file: Path
    listed: SplitList

    @property
    def sources(self) -> list[Path]:
        return [self.captions_file, *self.listed.sources]

    @property
    def expected_images(self) -> int:
        return len(self.listed.splits)

    def records(self) -> Iterator[ImageRecord]:
        """One record for each photo of a split, in the order of the captions."""
        yield from self.joined(self._images(), self.listed)

    def _images(self) -> Iterator[CaptionedImage]:
        found, photos = read_caption_file(self.captions_file), photos_in(self.photos)
        self.dropped_regions[MALFORMED_CAPTION, "-"] += found.malformed
        self.dropped_regions[REPEATED_CAPTION, "-"] += found.repeated
        for name, numbered in found.captions.items():
            image_id = photo_id(name)
            if image_id in photos or image_id in self.listed.splits:
                path = photos.get(image_id, self.photos / name)
                yield CaptionedImage(image_id, path, self.chosen(image_id, dict(sorted(numbered.items()))))
            else:
                self.dropped_regions[UNKNOWN_IMAGE, "-"] += len(numbered)

    def chosen(self, image_id: str, numbered: dict[int, str]) -> list[str]:
        """The captions to use, of number -> caption in order."""
        return list(numbered.values())
