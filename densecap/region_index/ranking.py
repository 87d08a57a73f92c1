"""Images, and the region in each, by how probable the model finds the words of a question for them.

As in DenseCap's retrieval: a region scores log p(phrase | region), an image by its best region for each phrase, summed
over the phrases.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from densecap.models.decoders.base import Decoder
from densecap.models.retrieval.pairs import pair_log_probs
from densecap.region_index.folder import RegionIndex
from densecap.region_index.parts import IndexPart


@dataclass(frozen=True)
class FoundRegion:
    """The region of an image that fits a phrase best: ``log_prob`` of the phrase, ``caption`` what the model says."""

    box: tuple[float, float, float, float]
    log_prob: float
    caption: str


@dataclass(frozen=True)
class FoundImage:
    """``score`` is the sum of the log-probabilities of ``regions``, one for each phrase."""

    file: str
    width: int
    height: int
    score: float
    regions: list[FoundRegion]

    def to_json(self) -> dict[str, Any]:
        regions = [
            {
                "box": [round(value, 2) for value in region.box],
                "log_prob": round(region.log_prob, 4),
                "caption": region.caption,
            }
            for region in self.regions
        ]
        size = {"width": self.width, "height": self.height}
        return {"file": self.file, **size, "score": round(self.score, 4), "regions": regions}


@torch.no_grad()
def search_index(
    index: RegionIndex,
    decoder: Decoder,
    tokens: Tensor,
    top: int,
    advance: Callable[[int], None] = lambda count: None,
) -> list[FoundImage]:
    """The ``top`` images for phrases (Q, T), best first; images without a region are not found.

    Of equal ones the first indexed comes first. ``advance`` is told how many photos have been looked at.
    """
    best: list[FoundImage] = []
    for part, newest in zip(index.parts(), index.newest()):
        best = heapq.nsmallest(top, [*best, *_of_part(part, newest, decoder, tokens)], key=lambda found: -found.score)
        advance(int(newest.sum()))
    return best


def _of_part(part: IndexPart, newest: np.ndarray, decoder: Decoder, tokens: Tensor) -> list[FoundImage]:
    device = next(decoder.parameters()).device
    images = np.flatnonzero(newest & (part.counts > 0))
    if not len(images):
        return []
    codes = torch.from_numpy(part.codes.astype(np.float32)).to(device)
    scores = pair_log_probs(decoder, codes, tokens.to(device)).cpu().numpy()  # (M, Q)
    found = []
    for image in images:
        rows = slice(part.starts[image], part.starts[image + 1])
        places = rows.start + scores[rows].argmax(axis=0)  # (Q,)
        values = scores[places, np.arange(len(places))]
        regions = [
            FoundRegion(tuple(part.boxes[place].tolist()), float(value), part.captions[place])
            for place, value in zip(places, values)
        ]
        height, width = part.sizes[image].tolist()
        found.append(FoundImage(part.files[image], width, height, float(values.sum()), regions))
    return found
