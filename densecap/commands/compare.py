"""``compare``: the figures of several evaluations side by side, from the report.json that ``eval`` wrote for each.

Prints tables and, with ``output``, writes them. Exit status: 0, whether or not the evaluations are comparable.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from densecap.errors import UserError
from densecap.evaluation.comparison import Evaluated
from densecap.evaluation.comparison_tables import WRITERS, show
from densecap.evaluation.report_files import find_reports, read_report, short_names

#: Columns that are filled where nobody sees a terminal.
WIDTH = 100


def run(cfg: DictConfig) -> int:
    """Compare as the config says."""
    output = _output(cfg)
    paths = find_reports(_names(cfg))
    evaluations = [Evaluated(name, path, read_report(path)) for name, path in zip(short_names(paths), paths)]
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = max(console.width, WIDTH)
    show(evaluations, console)
    if output is not None:
        _write(output, WRITERS[output.suffix.lower()](evaluations))
        Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(f"written to {output}")
    return 0


def _names(cfg: DictConfig) -> list[str]:
    given = None if OmegaConf.is_missing(cfg, "path") else cfg.get("path")
    if not given:
        raise UserError("compare needs the folders of evaluations, as in: python -m densecap compare outputs/eval*")
    return [str(given)] if isinstance(given, str | int | float) else [str(item) for item in given]


def _output(cfg: DictConfig) -> Path | None:
    """Errors: UserError for an ending that says nothing about how to write."""
    if not cfg.get("output"):
        return None
    path = Path(str(cfg.output)).expanduser()
    if path.suffix.lower() not in WRITERS:
        raise UserError(f"output={path} ends in none of {', '.join(WRITERS)}, which say how the tables are written")
    return path


def _write(path: Path, text: str) -> None:
    """Under a temporary name first. Errors: UserError when that fails."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error
