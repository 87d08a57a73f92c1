"""``runs``: which training runs there are, how they went, and how two of them differ. Only reads."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table
from rich.text import Text

from densecap.errors import UserError
from densecap.runs.differences import config_differences, figure_rows
from densecap.runs.durations import in_words
from densecap.runs.folder import CONFIG, KILLED, UNKNOWN, Run, find_run, find_runs
from densecap.runs.listing import ENDINGS, WRITERS, Row, chosen_figures, row_of, sorted_runs, typed
from densecap.runs.status import FAILED, FINISHED, INTERRUPTED, RUNNING, STATES

COLOURS = {RUNNING: "green", FINISHED: "", FAILED: "red", KILLED: "red", INTERRUPTED: "yellow", UNKNOWN: "dim"}

#: Columns that are filled where nobody sees a terminal.
WIDTH = 140


def run(cfg: DictConfig) -> int:
    """List or compare as the config says."""
    form, output = _form(cfg)
    paths = [Path(text).expanduser() for text in _texts(cfg.path) or [str(cfg.paths.outputs)]]
    pair = _texts(cfg.compare)
    if not pair and len(paths) == 2 and all((path / CONFIG).is_file() for path in paths):
        pair = [str(path) for path in paths]
    outputs = paths[0] if len(paths) == 1 else Path(cfg.paths.outputs)
    if pair:
        return _compare(pair, outputs, form, output)
    found = sorted_runs(_chosen(find_runs(paths), cfg), str(cfg.sort))[: cfg.limit or None]
    figures = chosen_figures(found, _texts(cfg.figures))
    if form == "table":
        _console().print(_table(found, figures) if found else f"no runs in {', '.join(map(str, paths))}")
    else:
        _give(WRITERS[form]([row_of(item, figures) for item in found]), output)
    return 0


def _chosen(runs: Sequence[Run], cfg: DictConfig) -> list[Run]:
    """Errors: UserError for a state that runs do not have."""
    states = (*STATES, KILLED, UNKNOWN)
    if cfg.state is not None and cfg.state not in states:
        raise UserError(f"state={cfg.state}: a run is {', '.join(states[:-1])} or {states[-1]}")
    kept = [item for item in runs if cfg.state in (None, item.state)]
    if cfg.match is None:
        return kept
    text = str(cfg.match).lower()
    return [item for item in kept if text in f"{item.name} {item.model} {item.data} {item.experiment}".lower()]


def _compare(names: Sequence[str], outputs: Path, form: str, output: Path | None) -> int:
    if len(names) != 2:
        raise UserError(f"compare= takes two runs, as in compare=[A,B]; it was given {len(names)}")
    first, second = (find_run(name, outputs) for name in names)
    if first.name == second.name:
        first, second = (Run(item.folder, str(item.folder), item.config, item.status) for item in (first, second))
    if first.folder.resolve() == second.folder.resolve():
        raise UserError(f"{first.folder} is one run; compare= takes two different ones")
    differences, figures = config_differences(first, second), figure_rows(first, second)
    if form == "json":
        _give(WRITERS[form]([{"configuration": differences, "figures": figures}]), output)
    elif form != "table":
        _give("\n".join(WRITERS[form](rows) for rows in (differences, figures) if rows), output)
    else:
        console = _console()
        console.print(_rows_table(differences) if differences else "the configurations are the same")
        console.print(_rows_table(figures))
        for item in (first, second):
            console.print(f"{item.name}: {_state_words(item)}, {item.folder}", soft_wrap=True)
    return 0


def _table(runs: Sequence[Run], figures: Sequence[str]) -> Table:
    """A row for each run; columns that would be empty are left out."""
    table = Table("run", "state", "model", "data")
    names = any(item.experiment for item in runs)
    if names:
        table.add_column("experiment")
    for name in ("started", "took", "epochs", "steps", *(name.removeprefix("val/") for name in figures)):
        table.add_column(name, justify="right")
    for item in runs:
        values = [_short(item.best.get(name)) for name in figures]
        started = item.started.astimezone()
        when = f"{started:%H:%M}" if started.date() == datetime.now().date() else f"{started:%Y-%m-%d}"
        numbers = ["" if item.epochs is None else str(item.epochs), f"{item.steps:,}"]
        state = Text(item.state, COLOURS[item.state])
        named = [item.experiment] if names else []
        table.add_row(item.name, state, item.model, item.data, *named, when, in_words(item.seconds), *numbers, *values)
    return table


def _rows_table(rows: Sequence[Row]) -> Table:
    table = Table()
    for place, name in enumerate(rows[0]):
        table.add_column(name, overflow="fold", justify="left" if place == 0 or "key" in rows[0] else "right")
    for row in rows:
        table.add_row(*(typed(value) if "key" in row else _short(value) for value in row.values()))
    return table


def _state_words(item: Run) -> str:
    reason = item.status.reason if item.status else None
    return f"{item.state} ({reason})" if reason else item.state


def _short(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    return [str(value)] if isinstance(value, str | int | float) else [str(item) for item in value]


def _form(cfg: DictConfig) -> tuple[str, Path | None]:
    """How to write and where to. Errors: UserError for a format or an ending that is not known."""
    if cfg.output is not None:
        path = Path(str(cfg.output)).expanduser()
        if path.suffix.lower() not in ENDINGS:
            raise UserError(f"output={path} ends in none of {', '.join(ENDINGS)}, which say how it is written")
        return ENDINGS[path.suffix.lower()], path
    if cfg.format != "table" and cfg.format not in WRITERS:
        raise UserError(f"format={cfg.format} is not known: it is table, {', '.join(WRITERS)}")
    return str(cfg.format), None


def _give(text: str, output: Path | None) -> None:
    """Print, or write under a temporary name first. Errors: UserError when that fails."""
    if output is None:
        sys.stdout.write(text)
        return
    temporary = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(output)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise UserError(f"cannot write {output}: {error.strerror or error}") from error
    Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(f"written to {output}")


def _console() -> Console:
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = max(console.width, WIDTH)
    return console
