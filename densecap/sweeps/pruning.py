"""The way from a training run to its trial: ``trial.json`` in the run folder names the study."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from densecap.sweeps.outcome import write_json

log = logging.getLogger(__name__)

TRIAL = "trial.json"

#: Given the number of a validation (from 1) and its figure: whether the trial is to end here.
Judge = Callable[[int, float], bool]


def announce(folder: Path, storage: str, study: str, trial_id: int, pruner: Mapping[str, Any]) -> None:
    """Say in the folder of a job which trial it is."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / TRIAL, {"storage": storage, "study": study, "trial_id": trial_id, "pruner": dict(pruner)})


def judge_of(folder: Path) -> Judge | None:
    """What decides about the trial that runs in this folder; None where no trial does."""
    try:
        record = json.loads((folder / TRIAL).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return _judge(record)


def _judge(record: Mapping[str, Any]) -> Judge:
    trials: list[Any] = []

    def judge(validation: int, value: float) -> bool:
        """A study that cannot be reached costs its pruning, not the training."""
        try:
            if not trials:
                trials.append(_trial(record))
            trials[0].report(value, validation)
            return bool(trials[0].should_prune())
        except Exception as error:
            log.warning("the study cannot be reached, so this trial goes on: %s", error)
            return False

    return judge


def _trial(record: Mapping[str, Any]) -> Any:
    import optuna

    from densecap.sweeps.storage import open_storage
    from densecap.sweeps.strategies import pruner_of

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage, pruner = open_storage(record["storage"]), pruner_of(record["pruner"])
    study = optuna.load_study(study_name=record["study"], storage=storage, pruner=pruner)
    return optuna.trial.Trial(study, record["trial_id"])
