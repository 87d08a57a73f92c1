"""Runs as rows of a table: which columns, in which order, and written as text, CSV, JSON or Markdown."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from typing import Any

from densecap.errors import UserError
from densecap.runs.folder import Run
from densecap.runs.history import lower_is_better

#: Figures that get a column without being asked for, where a run has them.
FIGURES = ("val/dense_mAP", "val/CIDEr", "val/METEOR", "val/BLEU-4", "val/perplexity", "val/loss")
MOST_FIGURES = 4

Row = dict[str, Any]


def chosen_figures(runs: Sequence[Run], wanted: Sequence[str]) -> list[str]:
    """The full names of the figures to show. Errors: UserError for one that no run has."""
    known = {name for run in runs for name in run.best}
    if not wanted:
        return [name for name in FIGURES if name in known][:MOST_FIGURES]
    names = [name if name in known else f"val/{name}" for name in wanted]
    for name, typed in zip(names, wanted):
        if runs and name not in known:
            raise UserError(f"no run has the figure {typed}; there are {', '.join(sorted(known)) or 'none'}")
    return names


def row_of(run: Run, figures: Sequence[str]) -> Row:
    """Plain values; times in UTC, seconds, the best value of every figure."""
    facts: Row = {
        "run": run.name,
        "state": run.state,
        "model": run.model,
        "data": run.data,
        "experiment": run.experiment,
        "started": run.started.isoformat(timespec="seconds"),
        "seconds": round(run.seconds),
        "epochs": run.epochs,
        "steps": run.steps,
    }
    facts |= {name: run.best.get(name) for name in figures}
    return facts | {"reason": run.status.reason if run.status else None, "folder": str(run.folder)}


def sorted_runs(runs: Sequence[Run], by: str) -> list[Run]:
    """``by``: newest, oldest, name, duration, steps or a figure, the best run first. Errors: UserError."""
    orders: dict[str, tuple[Callable[[Run], Any], bool]] = {
        "newest": (lambda run: run.started, True),
        "oldest": (lambda run: run.started, False),
        "name": (lambda run: run.name, False),
        "duration": (lambda run: run.seconds, True),
        "steps": (lambda run: run.steps, True),
    }
    if by in orders:
        key, reverse = orders[by]
        return sorted(runs, key=key, reverse=reverse)
    if not runs:
        return []
    name = chosen_figures(runs, [by])[0] if by not in {figure for run in runs for figure in run.best} else by
    sign = 1 if lower_is_better(name) else -1
    return sorted(runs, key=lambda run: (name not in run.best, sign * run.best.get(name, 0.0)))


def typed(value: Any) -> str:
    """A value as the command line takes it: null, true, [a,b]."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"[{','.join(map(typed, value))}]" if isinstance(value, list) else str(value)


def as_csv(rows: Sequence[Row]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["run"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def as_json(rows: Sequence[Row]) -> str:
    return json.dumps(list(rows), indent=2, ensure_ascii=False) + "\n"


def as_markdown(rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    names = list(rows[0])
    lines = [names, ["---"] * len(names), *([_cell(row[name]) for name in names] for row in rows)]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


#: By the name of the format, and by the ending of a file.
WRITERS: dict[str, Callable[[Sequence[Row]], str]] = {"csv": as_csv, "json": as_json, "markdown": as_markdown}
ENDINGS = {".csv": "csv", ".json": "json", ".md": "markdown"}
