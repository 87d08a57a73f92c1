"""How one job of a sweep ended: ``outcome.json`` in its folder, which works for every launcher.

Besides it ``objective.json``, written at every validation, says how the figure that is optimised went.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

OUTCOME, OBJECTIVE = "outcome.json", "objective.json"


@dataclass(frozen=True)
class Objective:
    """The ``values`` of ``metric`` at the validations of a run, in their order; None where the run was lost (nan)."""

    metric: str
    mode: str
    values: Sequence[float | None] = ()
    pruned: bool = False

    @property
    def best(self) -> float | None:
        """The best value of all validations, which is that of best.ckpt; None without any."""
        known = [value for value in self.values if value is not None]
        return (min(known) if self.mode == "min" else max(known)) if known else None

    @property
    def problem(self) -> str | None:
        """Why this run has no value to compare, as a sentence; None when it has one."""
        if not self.values:
            return f"the run ended without a validation, so {self.metric} is not known"
        if self.values[-1] is None:
            return f"the loss or {self.metric} was not finite at validation {len(self.values)}"
        return None


@dataclass(frozen=True)
class Outcome:
    """Exit ``status`` of a job with one sentence about its ``error``; ``started`` and ``finished`` in Unix seconds."""

    status: int
    error: str | None = None
    started: float = 0.0
    finished: float = 0.0
    overrides: Sequence[str] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return max(self.finished - self.started, 0.0)


def write_outcome(folder: Path, outcome: Outcome) -> None:
    write_json(folder / OUTCOME, asdict(outcome))


def read_outcome(folder: Path) -> Outcome | None:
    """None for a job that has not ended, or that was killed."""
    content = _read(folder / OUTCOME)
    return None if content is None else Outcome(**{key: content[key] for key in Outcome.__annotations__})


def write_objective(folder: Path, metric: str, mode: str, values: Sequence[float], pruned: bool) -> None:
    """The figure's values so far; those that are not finite are written as null."""
    known = [value if math.isfinite(value) else None for value in values]
    write_json(folder / OBJECTIVE, {"metric": metric, "mode": mode, "values": known, "pruned": pruned})


def read_objective(folder: Path) -> Objective | None:
    content = _read(folder / OBJECTIVE)
    return None if content is None else Objective(**{key: content[key] for key in Objective.__annotations__})


def mode_of(metric: str) -> str:
    """Whether a figure is better when it is smaller: ``min`` for losses and perplexity, ``max`` for all others."""
    return "min" if "loss" in metric or "perplexity" in metric else "max"


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    temporary.replace(path)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
