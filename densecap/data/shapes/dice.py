"""Random choices that are the same on every machine and with every NumPy version.

NumPy promises that the bit stream of ``PCG64`` never changes, but not what ``Generator`` makes of it; so the few
draws that a scene needs are made here from raw bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


class Dice:
    """A stream of random draws that depends on nothing but the whole numbers given."""

    def __init__(self, *numbers: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(numbers))

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        return low + (high - low) * (int(self._bits.random_raw()) >> 11) * 2.0**-53

    def integer(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self.uniform() * (high - low + 1))

    def chance(self, probability: float) -> bool:
        return self.uniform() < probability

    def choice(self, items: Sequence[T]) -> T:
        return items[self.integer(0, len(items) - 1)]

    def weighted(self, weights: dict[T, float]) -> T:
        """A key, drawn in proportion to its weight."""
        threshold = self.uniform(0, sum(weights.values()))
        for item, weight in weights.items():
            threshold -= weight
            if threshold < 0:
                return item
        return item

    def shuffled(self, items: Sequence[T]) -> list[T]:
        rest = list(items)
        return [rest.pop(self.integer(0, len(rest) - 1)) for _ in items]

    def grain(self, height: int, width: int) -> np.ndarray:
        """(height, width) uint8 noise, uniform over 0..255."""
        raw = self._bits.random_raw((height * width + 7) // 8)
        return raw.astype("<u8").view(np.uint8)[: height * width].reshape(height, width)
