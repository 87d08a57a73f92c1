"""One run as its folder tells about it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from densecap.errors import UserError
from densecap.runs.history import TABLE, History, read_history
from densecap.runs.status import RUNNING, RunStatus, read_status

#: States beside those of ``status.json``: its process is gone without a word; a run of before there was such a file.
KILLED, UNKNOWN = "killed", "unknown"

CONFIG = "config.yaml"

#: Folders in which no run of ours lies, however large they are.
_SKIPPED = ("mlruns", "wandb", "checkpoints")

#: Folders below a folder of runs that are looked into, sweeps having folders of runs themselves.
DEEPEST = 4


@dataclass(frozen=True)
class Run:
    """``name`` is unique among the runs that were found together; ``config`` is resolved, ``{}`` when unreadable."""

    folder: Path
    name: str
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)
    status: RunStatus | None = None

    @property
    def model(self) -> str:
        chosen = (self.config.get("choices") or {}).get("model")
        target = str((self.config.get("model") or {}).get("_target_", "")).rpartition(".")[2]
        return str(chosen or target)

    @property
    def data(self) -> str:
        return str((self.config.get("data") or {}).get("name", ""))

    @property
    def experiment(self) -> str:
        return str((self.config.get("choices") or {}).get("experiment") or "")

    @property
    def state(self) -> str:
        """One of ``densecap.runs.status.STATES``, killed or unknown."""
        if self.status is None:
            return UNKNOWN
        return KILLED if self.status.state == RUNNING and not self.status.alive() else self.status.state

    @cached_property
    def history(self) -> History:
        return read_history(self.folder)

    @property
    def best(self) -> dict[str, float]:
        """The best value of every figure of validation."""
        if self.status is not None and self.status.best:
            return self.status.best
        names = [name for name in self.history.curves if name.startswith("val/")]
        return {name: value for name in names if (value := self.history.best(name)) is not None}

    @property
    def steps(self) -> int:
        if self.status is not None and self.status.step:
            return self.status.step
        return self.history.last_step + 1 if self.history.curves else 0

    @property
    def epochs(self) -> int | None:
        return None if self.status is None else self.status.epoch

    @property
    def started(self) -> datetime:
        """In UTC; of a run without a status when its configuration was written."""
        if self.status is not None and self.status.started:
            return datetime.fromisoformat(self.status.started)
        return _modified(self.folder / CONFIG)

    @property
    def seconds(self) -> float:
        """From the first start to the end or the last sign of life, pauses before resumes included."""
        if self.status is None:
            last = self.folder / TABLE
            end = _modified(last) if last.exists() else self.started
        else:
            end = datetime.fromisoformat(self.status.ended or self.status.updated)
        return max((end - self.started).total_seconds(), 0.0)


def _modified(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def read_run(folder: Path, name: str | None = None) -> Run:
    """The run of a folder with a ``config.yaml``."""
    return Run(folder, name or folder.name, _config(folder / CONFIG), read_status(folder))


def _config(path: Path) -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        return {}
    return content if isinstance(content, dict) else {}


def find_runs(parents: list[Path]) -> list[Run]:
    """All training runs in and below some folders, newest first. Errors: UserError for a folder that is not there."""
    folders: dict[Path, tuple[Path, str]] = {}
    for parent in parents:
        if not parent.is_dir():
            raise UserError(f"there is no folder {parent}; runs are listed with: python -m densecap runs outputs")
        for folder in _run_folders(parent, DEEPEST):
            folders.setdefault(folder.resolve(), (folder, _name(folder, parent)))
    runs = [read_run(folder, name) for folder, name in folders.values()]
    return sorted((run for run in runs if "trainer" in run.config), key=lambda run: run.started, reverse=True)


def _run_folders(folder: Path, depth: int) -> Iterator[Path]:
    if (folder / CONFIG).is_file():
        yield folder
        return
    if depth == 0:
        return
    try:
        below = [
            entry
            for entry in os.scandir(folder)
            if entry.is_dir() and not entry.name.startswith(".") and entry.name not in _SKIPPED
        ]
    except PermissionError:
        return
    for entry in below:
        yield from _run_folders(Path(entry.path), depth - 1)


def _name(folder: Path, parent: Path) -> str:
    """The path below the folder that was searched, without the name of the command that all share."""
    inside = folder.relative_to(parent).as_posix()
    return folder.name if inside == "." else inside.removeprefix("train/")


def find_run(text: str, outputs: Path) -> Run:
    """The run that is meant by a folder, one of its files, or its name below ``outputs``. Errors: UserError."""
    path = Path(text).expanduser()
    for folder in (path, *path.parents[:3]) if path.exists() else ():
        if (folder / CONFIG).is_file():
            return read_run(folder, folder.name)
    found = [run for run in find_runs([outputs]) if text in (run.name, run.folder.name)] if outputs.is_dir() else []
    if len(found) == 1:
        return found[0]
    if found:
        raise UserError(f"{text} may be {' or '.join(str(run.folder) for run in found)}: give the folder")
    raise UserError(f"there is no run {text}, neither as a folder nor by that name in {outputs}")
