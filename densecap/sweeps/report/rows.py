"""The trials of a sweep in one form, wherever they were read."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

COMPLETE, PRUNED, FAILED, RUNNING, KILLED, WAITING = "complete", "pruned", "failed", "running", "killed", "waiting"
#: The order of states in a table, after the trials of each are sorted by value.
STATES = (COMPLETE, PRUNED, RUNNING, WAITING, FAILED, KILLED)


@dataclass(frozen=True)
class Row:
    """One trial. ``values`` are those of all its validations, ``params`` what differs between trials, by key.

    ``overrides`` is the whole command line of the trial; ``seconds`` is None while it runs.
    """

    number: int
    state: str
    value: float | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    seconds: float | None = None
    values: Sequence[float | None] = ()
    overrides: Sequence[str] = ()
    error: str | None = None
    folder: str = ""


@dataclass(frozen=True)
class Sweep:
    """A sweep whose trials were compared by ``metric``, better when ``mode`` (min or max)."""

    name: str
    metric: str
    mode: str
    rows: Sequence[Row]
    kind: str
    command: str = "train"

    @property
    def ranked(self) -> list[Row]:
        """Best first; trials without a value behind, pruned ones after those that were completed."""
        sign = 1 if self.mode == "min" else -1

        def place(row: Row) -> tuple[int, bool, float, int]:
            return STATES.index(row.state), row.value is None, sign * (row.value or 0.0), row.number

        return sorted(self.rows, key=place)

    @property
    def complete(self) -> list[Row]:
        """The trials that can be compared, by number."""
        found = [row for row in self.rows if row.state == COMPLETE and row.value is not None]
        return sorted(found, key=lambda row: row.number)

    def best(self, count: int) -> list[Row]:
        """Up to so many complete trials, best first."""
        return [row for row in self.ranked if row.state == COMPLETE and row.value is not None][:count]

    @property
    def keys(self) -> list[str]:
        """The parameters that differ, in the order they were named."""
        return list(dict.fromkeys(key for row in self.rows for key in row.params))

    def better(self, value: float, other: float) -> bool:
        return value < other if self.mode == "min" else value > other

    def counts(self) -> str:
        """``12 complete, 3 pruned, 1 failed``."""
        found = {state: sum(row.state == state for row in self.rows) for state in STATES}
        return ", ".join(f"{count} {state}" for state, count in found.items() if count)

    def repeat(self, row: Row) -> str:
        """The command that trains this configuration again, for a shell."""
        return shlex.join(["python", f"{self.command}.py", *row.overrides])


def shown(value: Any) -> str:
    """A parameter or figure in few characters."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return "null" if value is None else str(value)


def duration(seconds: float | None) -> str:
    """``1:02:03`` or ``4:05``; "" when it is not known."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
