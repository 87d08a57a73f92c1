"""Colours of boxes that stay with what they mark from one picture of a video to the next."""

from __future__ import annotations

from collections.abc import Sequence

from densecap.prediction.drawing import PALETTE
from densecap.prediction.placement import overlap_area
from densecap.structures import RegionPrediction

#: A box goes on as one of the picture before that it overlaps by more than this share of their union.
_SAME = 0.3


class SteadyColours:
    """Gives each box the colour of the one before that it overlaps most, as the original's live demo orders boxes."""

    def __init__(self, palette: Sequence[str] = PALETTE) -> None:
        self.palette = palette
        self._before: list[tuple[tuple[float, float, float, float], int]] = []

    def of(self, regions: Sequence[RegionPrediction]) -> list[str]:
        """The colour of each region of the next picture."""
        chosen: dict[int, int] = {}
        for _, row, place in sorted(self._pairs(regions), reverse=True):
            colour = self._before[place][1]
            if row not in chosen and colour not in chosen.values():
                chosen[row] = colour
        for row in range(len(regions)):
            if row not in chosen:
                taken = set(chosen.values())
                chosen[row] = next(number for number in range(len(regions) + len(taken)) if number not in taken)
        self._before = [(regions[row].box, chosen[row]) for row in range(len(regions))]
        return [self.palette[chosen[row] % len(self.palette)] for row in range(len(regions))]

    def _pairs(self, regions: Sequence[RegionPrediction]) -> list[tuple[float, int, int]]:
        """(intersection over union, row, place before) of boxes that may be the same."""
        pairs = []
        for row, region in enumerate(regions):
            for place, (box, _) in enumerate(self._before):
                shared = overlap_area(region.box, box)
                union = _area(region.box) + _area(box) - shared
                if union > 0 and shared / union > _SAME:
                    pairs.append((shared / union, row, place))
        return pairs


def _area(box: Sequence[float]) -> float:
    return max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)
