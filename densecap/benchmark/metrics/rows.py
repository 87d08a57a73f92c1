"""One measured figure of a metric, and the bar it is held against."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

#: What a bar is about: at least so many times as fast as the other, or at most, or at least, so much.
Kind = Literal["ratio", "most", "least"]


@dataclass(frozen=True)
class MetricRow:
    """``measured`` in ``unit``; ``other`` is pycocoevalcap's figure in the same unit, None where it was not measured.

    ``difference`` is the largest one between our scores and theirs on what was timed, where both were at hand.
    """

    part: str
    what: str
    measured: float
    unit: str
    kind: Kind
    bar: float
    other: float | None = None
    difference: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Measured over the other's."""
        return self.measured / self.other if self.other else None

    @property
    def reached(self) -> bool | None:
        """Whether the bar is reached; None when there was nothing to compare with."""
        if self.kind == "ratio":
            return None if self.ratio is None else self.ratio >= self.bar
        return self.measured <= self.bar if self.kind == "most" else self.measured >= self.bar

    @property
    def bar_text(self) -> str:
        if self.kind == "ratio":
            return f">= {self.bar:g} x"
        return f"{'<=' if self.kind == 'most' else '>='} {self.bar:,g} {self.unit}"

    def to_json(self) -> dict[str, Any]:
        names = ("part", "what", "measured", "unit", "other", "ratio", "reached", "difference", "note")
        return {**{name: getattr(self, name) for name in names}, "bar": self.bar_text}


@dataclass(frozen=True)
class Effort:
    """How long to measure: the best of ``repeats`` runs, of which none begins once ``seconds`` have gone."""

    repeats: int = 3
    seconds: float = 20.0

    def best(self, function: Callable[[], object]) -> float:
        """Seconds of the fastest run."""
        begin, found = time.perf_counter(), float("inf")
        for _ in range(max(self.repeats, 1)):
            start = time.perf_counter()
            function()
            found = min(found, time.perf_counter() - start)
            if time.perf_counter() - begin >= self.seconds:
                break
        return found
