"""What an evaluation hands over: the plain report, and what a page about it needs besides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from densecap.metrics.dense_map.evaluation import DenseScore, JudgedImage
from densecap.metrics.dense_map.records import DenseRecord


def no_image(image_id: str) -> Image.Image | None:
    """For an evaluation that has no pictures at hand."""
    return None


@dataclass
class Evaluation:
    """Everything a report needs.

    ``report`` is what report.json holds (see ``densecap.evaluation.schema``); ``records`` one per image of the split,
    boxes in original pixels; ``judged`` per convention what each record adds, in the order of ``records``, empty when
    dense_map was not asked for or could not be computed; ``scores`` the figures per convention. ``load_image`` gives a
    picture by image id, or None: it may be stored smaller than the original, whose size its record holds.
    """

    report: dict[str, Any]
    records: list[DenseRecord]
    judged: dict[str, list[JudgedImage]] = field(default_factory=dict)
    scores: dict[str, DenseScore] = field(default_factory=dict)
    load_image: Callable[[str], Image.Image | None] = no_image
