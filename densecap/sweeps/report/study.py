"""The trials of a search, from its study."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from densecap.errors import UserError
from densecap.sweeps.outcome import read_objective
from densecap.sweeps.pruning import TRIAL
from densecap.sweeps.report.grid import command_of, overrides_of
from densecap.sweeps.report.rows import COMPLETE, FAILED, KILLED, PRUNED, RUNNING, WAITING, Row, Sweep
from densecap.sweeps.storage import JOURNALS, STUDY_FILE, TERMS, address, file_of, open_storage, require_optuna

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


def find_study(path: Path) -> tuple[str, str | None] | None:
    """The storage and the name (None: the only one there) of the study that a folder or a file means; None of none."""
    if path.is_file():
        is_storage = path.suffix in (*JOURNALS, ".db", ".sqlite", ".sqlite3")
        return (address(str(path), path.parent), None) if is_storage else None
    own = path / STUDY_FILE
    if own.is_file():
        return address(str(own), path), None
    for record in sorted(path.glob(f"*/{TRIAL}")):
        content = json.loads(record.read_text(encoding="utf-8"))
        return str(content["storage"]), str(content["study"])
    return None


def read_study(url: str, name: str | None, folder: Path) -> Sweep:
    """Errors: UserError when the study is not there, or was made by something else."""
    require_optuna()
    import optuna

    file = file_of(url)
    if file is not None and not file.is_file():
        raise UserError(f"the study of {folder} was in {file}, which is not there any more")
    storage = open_storage(url)
    names = [study.study_name for study in storage.get_all_studies()]
    if name is None and len(names) != 1:
        raise UserError(f"{url} holds {len(names)} studies ({', '.join(names)}): give the folder of one sweep")
    study = optuna.load_study(study_name=name or names[0], storage=storage)
    terms = study.user_attrs.get(TERMS)
    if terms is None:
        raise UserError(f"the study {study.study_name} was not made by train.py -m, so it cannot be reported on")
    rows = [_row(trial, terms) for trial in study.get_trials(deepcopy=False)]
    mode = "min" if terms["direction"] == "minimize" else "max"
    return Sweep(study.study_name, str(terms["optimized_metric"]), mode, rows, "search", command_of(folder))


def _row(trial: FrozenTrial, terms: Mapping[str, Any]) -> Row:
    attributes = trial.user_attrs
    folder = Path(str(attributes.get("folder", "")))
    objective = read_objective(folder) if folder.name else None
    reported = [trial.intermediate_values[step] for step in sorted(trial.intermediate_values)]
    return Row(
        number=trial.number,
        state=_state(trial),
        value=attributes.get("best", trial.value),
        params=trial.params or trial.system_attrs.get("fixed_params", {}),
        seconds=attributes.get("seconds"),
        values=objective.values if objective is not None and not reported else reported,
        overrides=overrides_of(folder) or _overrides(trial.params, terms["overrides"]),
        error=_error(trial),
        folder=str(folder) if folder.name else "",
    )


def _state(trial: FrozenTrial) -> str:
    from optuna.trial import TrialState

    from densecap.sweeps.trials import RETRIED, is_lost

    if trial.user_attrs.get(RETRIED):
        return KILLED
    if trial.state == TrialState.RUNNING:
        return KILLED if is_lost(trial) else RUNNING
    names = {
        TrialState.COMPLETE: COMPLETE,
        TrialState.PRUNED: PRUNED,
        TrialState.FAIL: FAILED,
        TrialState.WAITING: WAITING,
    }
    return names[trial.state]


def _error(trial: FrozenTrial) -> str | None:
    error = trial.user_attrs.get("error")
    return f"{error}, and it was tried again" if error and trial.user_attrs.get("retried") else error


def _overrides(params: Mapping[str, Any], shared: Sequence[str]) -> list[str]:
    """A command line of a trial whose folder is gone."""
    return [*shared, *(f"{key}={'null' if value is None else value}" for key, value in params.items())]
