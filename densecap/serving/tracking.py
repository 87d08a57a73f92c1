"""Boxes followed from frame to frame: each keeps its number, and its caption as long as what it shows is the same.

Boxes of two frames belong together by their overlap, the largest first, as in SORT (arXiv 1602.00763) without its
motion model. A caption that is kept is one that need not be decoded, and one that does not flicker.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from densecap.ops.boxes import box_iou


@dataclass(frozen=True)
class TrackingSettings:
    """When boxes belong together, and when a caption is asked for anew.

    min_overlap   IoU of a box with that of the frame before for both to be one thing
    patience      frames that a thing may be missing before its number is given up
    lifetime      frames after which a caption is asked for again, a few boxes a frame
    moved         IoU with the box that was described below which a caption is asked for again
    changed       the same for the difference of the features: its length over that of the described one's
    """

    min_overlap: float = 0.3
    patience: int = 5
    lifetime: int = 60
    moved: float = 0.5
    changed: float = 0.5


@dataclass
class Track:
    """One thing: ``box`` (4,) where it was last, ``missed`` frames since; what was described, and how long ago."""

    number: int
    box: Tensor
    missed: int = 0
    caption: str | None = None
    log_prob: float = 0.0
    described_box: Tensor | None = None
    described_code: Tensor | None = None
    age: int = 0

    def learn(self, caption: str, log_prob: float, code: Tensor) -> None:
        """Take a caption that was just made of the box as it is."""
        self.caption, self.log_prob, self.age = caption, log_prob, 0
        self.described_box, self.described_code = self.box, code


class Tracker:
    """The things of one client's frames; used by one frame after the other."""

    def __init__(self, settings: TrackingSettings | None = None) -> None:
        self.settings = settings or TrackingSettings()
        self.tracks: list[Track] = []
        self._next = 1

    def follow(self, boxes: Tensor) -> list[Track]:
        """The thing that each box of (R, 4) is, known or new. Boxes are in pixels of a picture of constant size."""
        known = self._matches(boxes)
        found: list[Track] = []
        for row, box in enumerate(boxes):
            track = known.get(row) or self._new(box)
            track.box, track.missed, track.age = box, 0, track.age + 1
            found.append(track)
        self._forget({track.number for track in found})
        return found

    def fixed(self, boxes: Tensor) -> list[Track]:
        """The same for boxes that the client drew: box r is thing r, until other boxes are given."""
        if len(self.tracks) != len(boxes) or any(not torch.equal(t.box, b) for t, b in zip(self.tracks, boxes)):
            self.tracks, self._next = [], 1
            self.tracks = [self._new(box) for box in boxes]
        for track in self.tracks:
            track.age += 1
        return list(self.tracks)

    def undescribed(self, tracks: Sequence[Track], codes: Tensor) -> list[int]:
        """Which of the things want a caption, by their features (R, F) now: the new, the moved, the changed, and of
        those whose caption is old the oldest few."""
        news = self._news(tracks, codes)
        old = [row for row, track in enumerate(tracks) if track.age > self.settings.lifetime and row not in news]
        old.sort(key=lambda row: -tracks[row].age)
        return sorted([*news, *old[: math.ceil(len(tracks) / self.settings.lifetime)]])

    def _news(self, tracks: Sequence[Track], codes: Tensor) -> set[int]:
        """Rows of what was not described yet, has moved since or looks different."""
        known = [row for row, track in enumerate(tracks) if track.caption is not None]
        news = set(range(len(tracks))) - set(known)
        if not known:
            return news
        boxes = torch.stack([tracks[row].box for row in known])
        before = torch.stack([tracks[row].described_box for row in known])  # type: ignore[misc]
        moved = box_iou(boxes, before).diagonal() < self.settings.moved
        codes_before = torch.stack([tracks[row].described_code for row in known]).float()  # type: ignore[misc]
        difference = torch.linalg.vector_norm(codes[known].float() - codes_before, dim=1)
        changed = difference > self.settings.changed * torch.linalg.vector_norm(codes_before, dim=1)
        return news | {known[index] for index in (moved | changed.cpu()).nonzero()[:, 0].tolist()}

    def _matches(self, boxes: Tensor) -> dict[int, Track]:
        """Row of a box to its known thing, pairs of the largest overlap first."""
        if not self.tracks or not len(boxes):
            return {}
        overlaps = box_iou(torch.stack([track.box for track in self.tracks]), boxes)  # (T, R)
        pairs = (overlaps >= self.settings.min_overlap).nonzero().tolist()
        values = overlaps.tolist()
        pairs.sort(key=lambda pair: -values[pair[0]][pair[1]])
        found: dict[int, Track] = {}
        used: set[int] = set()
        for index, row in pairs:
            if index not in used and row not in found:
                found[row] = self.tracks[index]
                used.add(index)
        return found

    def _new(self, box: Tensor) -> Track:
        track = Track(self._next, box)
        self._next += 1
        self.tracks.append(track)
        return track

    def _forget(self, seen: set[int]) -> None:
        for track in self.tracks:
            if track.number not in seen:
                track.missed += 1
                track.age += 1
        self.tracks = [track for track in self.tracks if track.missed <= self.settings.patience]
