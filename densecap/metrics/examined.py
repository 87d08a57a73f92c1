"""What the metric classes may ask about one image and a model's answers for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from densecap.metrics.dense_map.geometry import merge_truths
from densecap.metrics.dense_map.language import plain_text
from densecap.metrics.dense_map.records import DenseRecord, Floats


@dataclass(frozen=True)
class DescribedBoxes:
    """Captions for true boxes: ``keys`` R names of boxes, ``candidates`` R captions, ``references`` R lists."""

    keys: Sequence[str]
    candidates: Sequence[str]
    references: Sequence[Sequence[str]]


class Examined(Protocol):
    """One image; each property is worked out when a metric first asks for it."""

    @property
    def image_id(self) -> str: ...

    @property
    def record(self) -> DenseRecord:
        """Predicted boxes with captions, and the truth."""

    @property
    def described(self) -> DescribedBoxes:
        """Captions for the true boxes, each with the phrases of ``references_of_boxes``."""

    @property
    def proposals(self) -> tuple[Tensor, Tensor]:
        """Proposals (P, 4), best first, and true boxes (M, 4), in the same pixels."""

    @property
    def told(self) -> tuple[Tensor, Tensor]:
        """Scores (N, T, V) of the next word when the N true captions are read to the decoder, and targets (N, T)."""


def references_of_boxes(boxes: Floats, captions: Sequence[str]) -> list[list[str]]:
    """For each of the true boxes (M, 4) its own phrase and those of the boxes that dense mAP merges with it.

    Empty phrases are left out, so a list may be empty.
    """
    references = [[caption] for caption in captions]
    for members in merge_truths(boxes)[1]:
        phrases = [captions[member] for member in members.tolist()]
        for member in members.tolist():
            references[member] = phrases
    return [[text for text in map(plain_text, phrases) if text] for phrases in references]
