"""What preprocessing expects of the reader of a data set."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from densecap.errors import UserError
from densecap.structures import ImageRecord

#: (reason, split) -> count.
Tally = Counter[tuple[str, str]]

#: The reason for leaving out an image that belongs to no split.
NO_SPLIT = "in no split"

#: The box of a caption of the whole image, whatever its size.
WHOLE_IMAGE = (0.0, 0.0, math.inf, math.inf)


class Reader:
    """Base of all readers: subclasses yield one ``ImageRecord`` for each annotated image of any split.

    Files need not exist and boxes need not lie in the image: preprocessing checks both, drops and counts. A side at
    infinity stands for the border of the image. What the reader itself leaves out goes into these attributes, which
    are complete once ``records`` has come to its end:

    * ``dropped_images`` and ``dropped_regions``: (reason, split) -> count; the split is "-" where there is none;
    * ``problems``: sentences for the report;
    * ``facts``: further plain entries of the report;
    * ``annotated_sizes``: image id -> (height, width) that the boxes refer to, where it is known. The boxes of an
      image file of another size but the same shape are scaled to it.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).expanduser()
        if not self.root.is_dir():
            raise UserError(f"data.root={root} is not a folder: {self.how_to_get}")
        self.problems: list[str] = []
        self.facts: dict[str, Any] = {}
        self.dropped_images: Tally = Counter()
        self.dropped_regions: Tally = Counter()
        self.annotated_sizes: dict[str, tuple[int, int]] = {}

    #: Whose numbers the image ids are, "" where they mean nothing outside this data set. Data sets with equal spaces
    #: share images with equal ids; see ``densecap.data.training_images``.
    id_space = ""

    #: End of the sentence that answers a missing root.
    how_to_get = "data/README.md draws the layout of every data set"

    @property
    def sources(self) -> list[Path]:
        """The annotation files; a change of their content makes a prepared file stale."""
        return []

    @property
    def expected_images(self) -> int | None:
        """About how many records will come, for the progress bar."""
        return None

    def records(self) -> Iterator[ImageRecord]:
        raise NotImplementedError
