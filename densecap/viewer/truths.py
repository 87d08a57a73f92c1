"""True boxes and phrases of the images shown, from a prepared data set or from a file like those of predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from densecap.data.provenance import recorded_root
from densecap.errors import UserError
from densecap.evaluation.boxes import BoxForm
from densecap.evaluation.joining import join
from densecap.evaluation.predictions import PredictedImage, Predictions
from densecap.evaluation.truth import Truth, TruthImage
from densecap.viewer.matching import match
from densecap.viewer.photos import Photo, PhotoFinder, StoredPhoto
from densecap.viewer.reading import read_entries, shown_regions
from densecap.viewer.records import Entry, ShownRegion

#: How every HDF5 file begins.
_HDF5 = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True)
class KnownTruth:
    """The truth of an image; ``width`` and ``height`` of the original where they are known, and its photo."""

    entry: Entry
    source: Predictions
    photo: Photo | None = None

    def regions(self, width: float, height: float) -> list[ShownRegion]:
        """As annotated, the boxes in an original of that size."""
        return [replace(region, score=None) for region in shown_regions(self.entry, self.source, width, height)]


class Truths(Protocol):
    """Where the truth comes from."""

    def of(self, predictions: Predictions, entries: Sequence[Entry]) -> list[KnownTruth | None]:
        """The truth of each entry. Errors: UserError when it is about other images altogether."""
        ...


def is_prepared(path: Path) -> bool:
    """Whether it is an HDF5 file."""
    with path.open("rb") as file:
        return file.read(len(_HDF5)) == _HDF5


class PreparedTruths:
    """A split of a prepared data set, which knows the photos too: the originals where they still lie, or its own."""

    def __init__(self, truth: Truth) -> None:
        self.truth = truth
        self.source = Predictions(truth.path, "truth", BoxForm(), [], truth.describes_whole_images)
        root = recorded_root(truth.path)
        self.originals = PhotoFinder(root if root.name else truth.path.parent)

    def of(self, predictions: Predictions, entries: Sequence[Entry]) -> list[KnownTruth | None]:
        images = [entry.image for entry in entries]
        joined = join(replace(predictions, images=images), self.truth)
        known = {id(found): truth for found, truth in zip(joined.found, self.truth.images) if found is not None}
        return [self._known(known[id(image)]) if id(image) in known else None for image in images]

    def _known(self, image: TruthImage) -> KnownTruth:
        entry = PredictedImage(
            f"image {image.image_id}",
            image.image_id,
            image.file,
            image.boxes,
            np.zeros(len(image.captions)),
            image.captions,
            image.width,
            image.height,
        )
        photo = self.originals.find(image.file, None) or StoredPhoto(self.truth.region_file, image.index)
        return KnownTruth(Entry(entry), self.source, photo)


class TruthsOfFile:
    """A file in any format of predictions."""

    def __init__(self, path: Path) -> None:
        self.source, self.entries = read_entries(path)

    def of(self, predictions: Predictions, entries: Sequence[Entry]) -> list[KnownTruth | None]:
        partners = match(self.entries, entries)
        if all(partner is None for partner in partners):
            ours, theirs = self.entries[0].image.name, entries[0].image.name
            raise UserError(
                f"none of the images in {predictions.path} is in {self.source.path}: one has {theirs}, the other {ours}"
            )
        return [None if place is None else KnownTruth(self.entries[place], self.source) for place in partners]
