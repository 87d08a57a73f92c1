"""The jobs of a grid, from the folders that they leave behind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from densecap.errors import UserError
from densecap.runs.status import read_status
from densecap.sweeps.outcome import Objective, Outcome, read_objective, read_outcome
from densecap.sweeps.report.rows import COMPLETE, FAILED, KILLED, PRUNED, RUNNING, Row, Sweep

MULTIRUN = "multirun.yaml"


def read_grid(folder: Path) -> Sweep:
    """Errors: UserError when the folder holds no jobs."""
    jobs = sorted((path for path in folder.iterdir() if _is_job(path)), key=lambda path: (len(path.name), path.name))
    if not jobs:
        raise UserError(f"{folder} holds no jobs of a sweep: give the folder that train.py -m made")
    overrides = [overrides_of(job) for job in jobs]
    objectives = [read_objective(job) for job in jobs]
    shared = set.intersection(*map(set, overrides)) if len(jobs) > 1 else set()
    rows = [
        _row(place, job, own, [text for text in own if text not in shared], objective)
        for place, (job, own, objective) in enumerate(zip(jobs, overrides, objectives))
    ]
    known = next((objective for objective in objectives if objective is not None), Objective("value", "min"))
    return Sweep(folder.name, known.metric, known.mode, rows, "grid", command_of(folder))


def _is_job(path: Path) -> bool:
    return path.is_dir() and any((path / name).exists() for name in ("outcome.json", ".hydra", "status.json"))


def _row(place: int, job: Path, own: Sequence[str], differing: Sequence[str], objective: Objective | None) -> Row:
    outcome = read_outcome(job)
    state, error = state_of(job, outcome, objective)
    return Row(
        number=int(job.name) if job.name.isdigit() else place,
        state=state,
        value=None if objective is None or state == FAILED else objective.best,
        params=dict(_parameter(text) for text in differing),
        seconds=None if outcome is None else outcome.seconds,
        values=() if objective is None else objective.values,
        overrides=own,
        error=error,
        folder=str(job),
    )


def state_of(job: Path, outcome: Outcome | None, objective: Objective | None) -> tuple[str, str | None]:
    """The state of a job and, of a failed one, why; a job without an outcome runs still, or was killed."""
    if outcome is None:
        status = read_status(job)
        return (RUNNING, None) if status is not None and status.alive() else (KILLED, "its process was killed")
    if outcome.error is not None:
        return FAILED, outcome.error
    problem = None if objective is None else objective.problem
    if problem is not None:
        return FAILED, problem
    return (PRUNED if objective is not None and objective.pruned else COMPLETE), None


def overrides_of(job: Path) -> list[str]:
    """The command line of a job, without Hydra's own part; empty when it is not recorded."""
    outcome = read_outcome(job)
    if outcome is not None and outcome.overrides:
        return list(outcome.overrides)
    content = read_yaml(job / ".hydra" / "overrides.yaml")
    return [str(text) for text in content] if isinstance(content, list) else []


def command_of(folder: Path) -> str:
    """The command that was swept."""
    content = read_yaml(folder / MULTIRUN)
    job = (content.get("hydra") or {}).get("job") if isinstance(content, dict) else None
    return str((job or {}).get("config_name") or "train")


def read_yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError):
        return None


def _parameter(override: str) -> tuple[str, Any]:
    """Key and value of an override; numbers as such."""
    key, _, text = override.partition("=")
    for kind in (int, float):
        try:
            return key, kind(text)
        except ValueError:
            continue
    return key, text
