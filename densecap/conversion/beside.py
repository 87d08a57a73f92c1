"""What a conversion is given beside the file itself, for formats that keep their parts apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Beside:
    """``vocabulary``: a file of words; ``weights``: those of a backbone, "imagenet" or a path; ``annotations``: a file
    of captions for each split."""

    vocabulary: Path | None = None
    weights: str | None = None
    annotations: Mapping[str, Path] = field(default_factory=dict)


NOTHING = Beside()
