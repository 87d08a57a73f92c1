"""IAPR TC-12 (Grubinger et al. 2006): about 20,000 photos, each described by one or more sentences.

    root/ or root/iaprtc12/
      images/01/1000.jpg ...                                    the folder is the number in thousands, two digits
      annotations_complete_eng/01/1000.eng ...                  a record, ISO-8859-1
      iaprtc12_train_list.txt, iaprtc12_test_list.txt           17,665 and 1,962 ids as "01/1000" (Guillaumin et al.)

    <DOC> ... <TITLE>...</TITLE> <DESCRIPTION>a man on a bike; trees behind him;</DESCRIPTION>
    <IMAGE>images/01/1000.jpg</IMAGE> ... </DOC>

Every piece of a description between semicolons is a caption. The records look like XML but are none: they have bare
ampersands, so the tags are found by patterns. The id of an image is its number. The lists have no images for
validation; ``num_val`` takes some of those for training.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

from densecap.data.split_lists import SplitList, read_list_files, read_split_list
from densecap.data.whole_images import CaptionedImage, WholeImages
from densecap.errors import UserError
from densecap.structures import ImageRecord

LISTS = {"train": "iaprtc12_train_list.txt", "test": "iaprtc12_test_list.txt"}
#: Images of the published lists.
NUM_TRAIN, NUM_TEST = 17_665, 1_962
_DESCRIPTION = re.compile(r"<DESCRIPTION>(.*?)</DESCRIPTION>", re.DOTALL | re.IGNORECASE)
_IMAGE = re.compile(r"<IMAGE>\s*(images/\S+?)\s*</IMAGE>", re.IGNORECASE)
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&"))


class IaprTc12(WholeImages):
    """Reads IAPR TC-12. ``train_list`` and ``test_list`` are the two lists, None looks for them in ``root``;
    ``splits`` is a whole list of splits instead. Without any a split of the published sizes is drawn by
    ``split_seed``, and the report says that it is not the standard one.
    """

    how_to_get = "fetch it with `python -m densecap download data=iapr_tc12`, or point data.root to it"
    id_space = "iapr_tc12"

    def __init__(
        self,
        root: str | Path,
        splits: str | Path | None = None,
        train_list: str | Path | None = None,
        test_list: str | Path | None = None,
        num_val: int = 0,
        split_seed: int = 0,
    ) -> None:
        super().__init__(root)
        self.folder = next((f for f in (self.root, self.root / "iaprtc12") if (f / "images").is_dir()), None)
        if self.folder is None or not (self.folder / "annotations_complete_eng").is_dir():
            raise UserError(f"{root} holds no folders images and annotations_complete_eng: {self.how_to_get}")
        self.num_val, self.split_seed = num_val, split_seed
        self.list_files = {} if splits is not None else self._find_lists(train_list, test_list)
        self.given = None if splits is None else read_split_list(splits, number_of)

    @property
    def sources(self) -> list[Path]:
        return list(self.given.sources) if self.given else list(self.list_files.values())

    def records(self) -> Iterator[ImageRecord]:
        """One record for each image of a split, in the order of their numbers."""
        images = list(self._images())
        listed = self.given or self._read_lists() or self._drawn([image.image_id for image in images])
        yield from self.joined(images, self._with_validation(listed))

    def _images(self) -> Iterator[CaptionedImage]:
        assert self.folder is not None
        for path in sorted((self.folder / "annotations_complete_eng").glob("*/*.eng")):
            text = path.read_text(encoding="latin-1")
            image = _IMAGE.search(text)
            place = image[1] if image else f"images/{path.parent.name}/{path.stem}.jpg"
            yield CaptionedImage(number_of(path.name), self.folder / place, read_sentences(text))

    def _find_lists(self, train_list: str | Path | None, test_list: str | Path | None) -> dict[str, Path]:
        """Both lists, or none; UserError when one is missing."""
        given = {"train": train_list, "test": test_list}
        found = {}
        for split, name in LISTS.items():
            own = given[split]
            places = [Path(own).expanduser()] if own else [self.root / name, self.root / "iaprtc12" / name]
            path = next((place for place in places if place.is_file()), None)
            if path is not None:
                found[split] = path
            elif own:
                raise UserError(f"data.{split}_list={own} is not a file")
        if len(found) == 1:
            there, missing = next(iter(found.values())), "test" if "train" in found else "train"
            raise UserError(
                f"{there} is there without the list {LISTS[missing]}: give it with data.{missing}_list=FILE"
            )
        return found

    def _read_lists(self) -> SplitList | None:
        return read_list_files(self.list_files, number_of, "the published lists") if self.list_files else None

    def _drawn(self, image_ids: list[str]) -> SplitList:
        """Training and test images of the published numbers, or in their proportion where there are fewer."""
        ordered = sorted(set(image_ids))
        random.Random(self.split_seed).shuffle(ordered)
        num_test = min(NUM_TEST, len(ordered) * NUM_TEST // (NUM_TRAIN + NUM_TEST))
        chosen = ordered[: num_test + NUM_TRAIN]
        splits = dict.fromkeys(chosen[:num_test], "test") | dict.fromkeys(chosen[num_test:], "train")
        self.problems.append(
            f"NON-STANDARD SPLIT: {' and '.join(LISTS.values())} are not there, so {len(chosen) - num_test:,} images "
            f"for training and {num_test:,} for the test were drawn by data.split_seed={self.split_seed}; figures on "
            "them are not comparable with published ones"
        )
        return SplitList(f"NON-STANDARD, drawn by data.split_seed={self.split_seed}", splits)

    def _with_validation(self, listed: SplitList) -> SplitList:
        """The list with ``num_val`` of the training images, drawn by the seed, for validation."""
        training = sorted(image_id for image_id, split in listed.splits.items() if split == "train")
        if not 0 <= self.num_val < max(1, len(training)):
            raise UserError(f"data.num_val={self.num_val} is not between 0 and the {len(training):,} training images")
        held_out = random.Random(f"val {self.split_seed}").sample(training, self.num_val)
        name = listed.name if not held_out else f"{listed.name}, {len(held_out):,} of train for val"
        return SplitList(name, listed.splits | dict.fromkeys(held_out, "val"), listed.sources)


def number_of(name: str) -> str:
    """The number of an image in any of its names: "01/1000", "images/01/1000.jpg" and "1000.eng" are "1000"."""
    return name.rpartition("/")[2].partition(".")[0]


def read_sentences(record: str) -> list[str]:
    """The sentences of a record's description, none where it is missing or empty."""
    match = _DESCRIPTION.search(record)
    text = match[1] if match else ""
    for entity, character in _ENTITIES:
        text = text.replace(entity, character)
    return [" ".join(piece.split()) for piece in text.split(";") if piece.strip()]
