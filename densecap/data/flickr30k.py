"""Flickr30K (Young et al. 2014): 31,783 photos with five captions each; several splits have been published.

    root/
      flickr30k-images/1000092795.jpg ...     or flickr30k_images, images
      results_20130124.token                  or results.csv, in root or beside the photos
      dataset_flickr30k.json                  Karpathy's split, 29,000/1,014/1,000, or karpathy_flickr30k_images.txt
      train.txt, val.txt, test.txt            that of Flickr30K Entities, 29,783/1,000/1,000, or in flickr30k_entities/
      UNRELATED_CAPTIONS                      of Flickr30K Entities: captions about something else than their photo

The id of an image is its file name without ".jpg". m-RNN's own split is only had as ``data.splits=FILE``.
"""

from __future__ import annotations

from pathlib import Path

from densecap.data.flickr_captions import first_existing, photo_id
from densecap.data.flickr_photos import FlickrPhotos
from densecap.data.split_lists import SplitList, files_of_splits, read_list_files, read_split_list
from densecap.data.text_files import read_text
from densecap.errors import UserError

PHOTO_FOLDERS = ("flickr30k-images", "flickr30k_images/flickr30k_images", "flickr30k_images", "images")
CAPTION_FILES = ("results_20130124.token", "results.csv")
KARPATHY = ("dataset_flickr30k.json", "karpathy_flickr30k_images.txt")
CHOICES = ("karpathy", "entities")

UNRELATED = "caption about something else (Flickr30K Entities)"


class Flickr30k(FlickrPhotos):
    """Reads Flickr30K. ``split_list`` is karpathy or entities; ``splits`` is another list and comes first.

    ``drop_unrelated`` leaves captions that Flickr30K Entities calls unrelated out of the training images. Those of val
    and test stay, because published figures are scored against them, and are counted.
    """

    how_to_get = "`python -m densecap download data=flickr30k` says where the photos are given out"

    def __init__(
        self,
        root: str | Path,
        split_list: str = "karpathy",
        splits: str | Path | None = None,
        drop_unrelated: bool = True,
    ) -> None:
        super().__init__(root)
        self.photos = first_existing(self.root, PHOTO_FOLDERS, "photos", self.how_to_get)
        places = [f"{folder}{name}" for name in CAPTION_FILES for folder in ("", "flickr30k_images/")]
        self.captions_file = first_existing(self.root, places, "captions", self.how_to_get)
        self.listed = self._chosen_list(split_list) if splits is None else read_split_list(splits, photo_id)
        self.drop_unrelated = drop_unrelated
        self.unrelated_file = self._find("UNRELATED_CAPTIONS")
        self.unrelated = set() if self.unrelated_file is None else read_unrelated(self.unrelated_file)
        self._note_unrelated()

    @property
    def sources(self) -> list[Path]:
        return [*super().sources, *([self.unrelated_file] if self.unrelated_file else [])]

    def chosen(self, image_id: str, numbered: dict[int, str]) -> list[str]:
        """All captions, but of training images those that are not in the list of unrelated ones."""
        split = self.listed.splits.get(image_id)
        if split != "train" or not self.drop_unrelated:
            return list(numbered.values())
        kept = [caption for number, caption in numbered.items() if (image_id, number + 1) not in self.unrelated]
        self.dropped_regions[UNRELATED, split] += len(numbered) - len(kept)
        return kept

    def _note_unrelated(self) -> None:
        if self.unrelated_file is None:
            self.problems.append("UNRELATED_CAPTIONS of Flickr30K Entities is not there, so all captions are taken")
            return
        splits = [self.listed.splits.get(image_id, "no split") for image_id, _ in self.unrelated]
        counts = ", ".join(f"{splits.count(split)} in {split}" for split in sorted(set(splits)))
        treatment = "those in train are left out" if self.drop_unrelated else "all are taken"
        self.facts["unrelated captions"] = f"{len(splits)} listed ({counts}); {treatment}"

    def _chosen_list(self, choice: str) -> SplitList:
        if choice not in CHOICES:
            raise UserError(f"data.split_list is one of {', '.join(CHOICES)}, got {choice}")
        if choice == "entities":
            for folder in (self.root, self.root / "flickr30k_entities"):
                if (folder / "train.txt").is_file():
                    return read_list_files(files_of_splits(folder), photo_id, "the lists of Flickr30K Entities")
        else:
            found = next((path for path in map(self._find, KARPATHY) if path is not None), None)
            if found is not None:
                return read_split_list(found, photo_id)
        names = "train.txt, val.txt and test.txt" if choice == "entities" else " or ".join(KARPATHY)
        raise UserError(
            f"{self.root} holds no list of the {choice} split ({names}): fetch it with `python -m densecap download "
            "data=flickr30k only=[splits]`, choose another data.split_list, or give your own with data.splits=FILE"
        )

    def _find(self, name: str) -> Path | None:
        places = (self.root / name, self.root / "flickr30k_entities" / name)
        return next((path for path in places if path.is_file()), None)


def read_unrelated(path: Path) -> set[tuple[str, int]]:
    """Pairs of image id and number of the caption, counted from 1; UserError for a line that is no such pair."""
    found = set()
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 2 or not words[1].isdecimal():
            raise UserError(f"{path}, line {number}: expected an image id and the number of a caption, got {line!r}")
        found.add((photo_id(words[0]), int(words[1])))
    return found
