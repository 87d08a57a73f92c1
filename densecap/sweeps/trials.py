"""Handing out the trials of a study, taking back their results, and finding those whose process has died."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna.trial import TrialState

from densecap.runs.status import process_start

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial, Trial

#: Attributes of a trial. ``TRIES`` counts how often its parameters were begun, this time included.
OWNER, SEEN, ERROR, FOLDER, SECONDS, RETRIED, TRIES = (
    "process",
    "seen",
    "error",
    "folder",
    "seconds",
    "retried",
    "tries",
)
#: A trial whose process was killed is tried again with the same parameters until it has been begun so often.
MOST_TRIES = 3
#: Seconds without a sign of life after which a trial of another machine counts as lost.
SILENCE = 600


def me() -> str:
    """This process, so that another one can tell whether it still runs."""
    return f"{socket.gethostname()} {os.getpid()} {process_start(os.getpid())}"


def is_lost(trial: FrozenTrial) -> bool:
    """Whether a running trial's process has died: known of this machine, guessed from its silence of others."""
    host, _, process = str(trial.user_attrs.get(OWNER, "")).partition(" ")
    if host == socket.gethostname():
        number, _, started = process.partition(" ")
        return not number.isdigit() or process_start(int(number)) != started
    seen = trial.user_attrs.get(SEEN)
    if seen is None:  # it was asked for a moment ago, or by somebody else
        return trial.datetime_start is None or time.time() - trial.datetime_start.timestamp() > SILENCE
    return time.time() - float(seen) > SILENCE


def give_back(study: Study, trial: FrozenTrial, reason: str) -> bool:
    """Record a trial that was cut short as failed and queue its parameters again; False when it had its tries.

    Each trial is given back once, whoever notices first.
    """
    tries = int(trial.user_attrs.get(TRIES, 1))
    again = tries < MOST_TRIES
    identity = trial._trial_id
    study._storage.set_trial_user_attr(identity, ERROR, reason if again else f"{reason}, {tries} times")
    study._storage.set_trial_user_attr(identity, RETRIED, again)
    study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
    if again:
        study.enqueue_trial(trial.params, user_attrs={TRIES: tries + 1, "retry_of": trial.number})
    return again


def recover(study: Study) -> list[int]:
    """Give back every trial whose process has died; their numbers."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    lost = [trial for trial in running if is_lost(trial)]
    for trial in lost:
        give_back(study, trial, "its process was killed")
    return [trial.number for trial in lost]


def used(trials: Sequence[FrozenTrial]) -> int:
    """How many of the wanted trials are done or under way; those that were given back do not count."""
    return sum(trial.state != TrialState.WAITING and not trial.user_attrs.get(RETRIED) for trial in trials)


def ask(study: Study, space: Mapping[str, BaseDistribution], folder: Path) -> Trial:
    """The next trial, to be run in a folder of its number below ``folder``."""
    trial = study.ask(dict(space))
    trial.set_user_attr(OWNER, me())
    trial.set_user_attr(SEEN, time.time())
    trial.set_user_attr(FOLDER, str(folder / str(trial.number)))
    return trial


def record(trial: Trial, **attributes: Any) -> None:
    for name, value in attributes.items():
        if value is not None:
            trial.set_user_attr(name, value)
