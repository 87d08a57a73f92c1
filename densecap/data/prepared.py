"""What preprocessing is asked for, and what its passes found before it is written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from densecap.data.box_pass import FittedBoxes
from densecap.data.hdf5 import SPLITS
from densecap.data.image_pass import StoredImage
from densecap.data.text_pass import Annotations, Encoding
from densecap.errors import UserError


@dataclass(frozen=True)
class PreparationOptions:
    """Everything but the sources that decides what is in the prepared file; ``reader`` holds the reader's options."""

    name: str
    image_size: int = 720
    min_token_count: int = 15
    max_tokens: int = 15
    vocabulary_splits: tuple[str, ...] = ("train",)
    reader: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("image_size", "min_token_count", "max_tokens"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise UserError(f"data.{name} is a whole number above 0, got {value}")
        splits = list(self.vocabulary_splits)
        if not splits or not set(splits) <= set(SPLITS):
            raise UserError(f"data.vocabulary_splits is a list of train, val and test, got {splits}")

    def to_json(self) -> dict[str, Any]:
        """As it comes back from the prepared file."""
        return json.loads(json.dumps(asdict(self)))


@dataclass
class Prepared:
    """The passes' results for N images with M regions; ``fitted.kept`` says which regions are written."""

    found: Annotations
    stored: Sequence[StoredImage]
    fitted: FittedBoxes
    encoding: Encoding

    @cached_property
    def image_splits(self) -> np.ndarray:
        """(N,) places in ``SPLITS``."""
        return np.asarray(self.found.splits)

    @cached_property
    def region_splits(self) -> np.ndarray:
        """(M,) places in ``SPLITS``."""
        return np.repeat(self.image_splits, np.asarray(self.found.region_counts))

    @cached_property
    def kept_counts(self) -> np.ndarray:
        """(N,) regions written of each image; an image with none is not written."""
        return count_per_image(self.found, self.fitted.kept)

    @cached_property
    def kept_images(self) -> list[int]:
        """The images that are written, ascending."""
        return np.flatnonzero(self.kept_counts).tolist()

    @cached_property
    def readable_images(self) -> np.ndarray:
        """(N,) bool."""
        return np.array([row.error is None for row in self.stored], dtype=bool)


def count_per_image(found: Annotations, chosen: np.ndarray) -> np.ndarray:
    """(N,) how many of the (M,) regions are chosen in each image."""
    owners = np.repeat(np.arange(len(found.ids)), np.asarray(found.region_counts))
    return np.bincount(owners[chosen], minlength=len(found.ids))
