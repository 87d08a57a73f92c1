"""``sweep_report``: the trials of a sweep as a table, the best configurations as commands, and report.html with plots.

Exit status: 0. Errors: UserError for a folder that no sweep made.
"""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table

from densecap.errors import UserError
from densecap.sweeps.report.grid import read_grid
from densecap.sweeps.report.importance import importances
from densecap.sweeps.report.page import write_page
from densecap.sweeps.report.rows import Sweep, duration, shown
from densecap.sweeps.report.study import find_study, read_study

#: Columns that are filled where nobody sees a terminal.
WIDTH = 160


def run(cfg: DictConfig) -> int:
    """Report on the sweep that the config names."""
    path = _path(cfg)
    folder = path if path.is_dir() else path.parent
    found = find_study(path)
    if found is None and path.is_file():
        raise UserError(f"{path} is no study: give the folder of a sweep, or its study.db")
    sweep = read_grid(folder) if found is None else read_study(*found, folder)
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = max(console.width, WIDTH)
    show(sweep, console, int(cfg.top))
    output = Path(str(cfg.output)).expanduser() if cfg.output else folder / "report.html"
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        write_page(output, sweep, int(cfg.top))
    except OSError as error:
        raise UserError(f"cannot write {output}: {error.strerror or error}") from error
    Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(f"plots: {output}")
    return 0


def _path(cfg: DictConfig) -> Path:
    given = None if OmegaConf.is_missing(cfg, "path") else cfg.path
    paths = [] if given is None else [given] if isinstance(given, str | int | float) else list(given)
    if len(paths) != 1:
        raise UserError("sweep_report needs the folder of one sweep: python -m densecap sweep_report outputs/train/...")
    path = Path(str(paths[0])).expanduser()
    if not path.exists():
        raise UserError(f"there is no folder {path}; a sweep says at its end where it is")
    return path


def show(sweep: Sweep, console: Console, top: int) -> None:
    """Table, importances, and the commands of the best."""
    title = f"{sweep.name}: {sweep.counts()}"
    failed = any(row.error for row in sweep.rows)
    head = ["trial", "state", sweep.metric, *sweep.keys, "time", *(["error"] if failed else [])]
    table = Table(*head, title=title, title_justify="left")
    for row in sweep.ranked:
        params = [shown(row.params[key]) if key in row.params else "" for key in sweep.keys]
        value = "" if row.value is None else shown(row.value)
        table.add_row(
            str(row.number), row.state, value, *params, duration(row.seconds), *([row.error or ""] if failed else [])
        )
    console.print(table)
    if shares := importances(sweep):
        listed = ", ".join(f"{key} {100 * share:.0f} %" for key, share in shares.items())
        console.print(f"share of the differences that each parameter explains: {listed}", soft_wrap=True)
    for row in sweep.best(top):
        console.print(f"\ntrial {row.number}, {sweep.metric} {shown(row.value)}:", soft_wrap=True)
        console.print(sweep.repeat(row), soft_wrap=True)
