"""The generated scenes as a data set: made on first use, then read like Visual Genome."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from densecap.data.shapes.sampling import DEFAULT_SEED
from densecap.data.shapes.writing import ensure
from densecap.data.visual_genome import VisualGenome
from densecap.structures import ImageRecord


class ShapesReader(VisualGenome):
    """Generates the folder ``root`` unless it is there, and reads it with the reader of Visual Genome.

    ``counts`` says how many scenes each split has, ``seed`` which scenes they are; ``splits`` may name a file with
    another division of the same pictures.
    """

    def __init__(
        self,
        root: str | Path,
        splits: str | Path | None = None,
        counts: Mapping[str, int] | None = None,
        seed: int = DEFAULT_SEED,
    ) -> None:
        super().__init__(ensure(Path(root).expanduser(), counts, seed), splits)
        self.facts["seed"] = seed
        self._as_generated = splits is None

    def records(self) -> Iterator[ImageRecord]:
        yield from super().records()
        if self._as_generated:
            self.facts["splits"] = "as generated"
