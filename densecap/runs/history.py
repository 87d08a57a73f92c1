"""The figures of a run over its optimiser steps, as ``csv/metrics.csv`` of its folder holds them."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

#: The table in a run folder that ``logger=csv`` writes.
TABLE = Path("csv") / "metrics.csv"

#: Columns that are no figures.
NO_FIGURES = ("step", "epoch", "")


class History:
    """Each figure's values in the order they were logged: ``curves[name]`` is a list of (step, value)."""

    def __init__(self) -> None:
        self.curves: dict[str, list[tuple[int, float]]] = {}

    def add(self, step: int, figures: Mapping[str, float]) -> None:
        """Values that are no finite numbers are left out."""
        for name, value in figures.items():
            if name not in NO_FIGURES and math.isfinite(value):
                self.curves.setdefault(name, []).append((step, value))

    @property
    def last_step(self) -> int:
        """The largest step of any figure, 0 when there is none."""
        return max((curve[-1][0] for curve in self.curves.values() if curve), default=0)

    def last(self, name: str) -> float | None:
        curve = self.curves.get(name)
        return curve[-1][1] if curve else None

    def best(self, name: str) -> float | None:
        """The lowest of losses and perplexities, the highest of everything else; None where there is none."""
        values = [value for _, value in self.curves.get(name, ())]
        if not values:
            return None
        return min(values) if lower_is_better(name) else max(values)


def lower_is_better(name: str) -> bool:
    """Whether a figure is a cost."""
    return "loss" in name or "perplexity" in name


def history_of(rows: Iterable[Mapping[str, str]]) -> History:
    """The rows of a table as text; what is no number is left out."""
    history = History()
    for row in rows:
        step = number(row.get("step"))
        if step is None:
            continue
        figures = {name: number(text) for name, text in row.items() if name is not None}
        history.add(int(step), {name: value for name, value in figures.items() if value is not None})
    return history


def read_history(folder: Path) -> History:
    """The figures in a run folder; empty where it has no table."""
    try:
        with (folder / TABLE).open(encoding="utf-8", newline="") as file:
            return history_of(csv.DictReader(file))
    except (OSError, csv.Error, UnicodeDecodeError):
        return History()


def number(text: str | None) -> float | None:
    """The number that a cell holds; None for anything else."""
    try:
        return float(text) if isinstance(text, str) and text else None
    except ValueError:
        return None
