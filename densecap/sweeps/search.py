"""A study under way: which trials to run next, and what became of them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from optuna import Study
from optuna.trial import Trial, TrialState

from densecap.errors import UserError
from densecap.sweeps import trials
from densecap.sweeps.job import STOPPED
from densecap.sweeps.outcome import Objective, read_objective, read_outcome
from densecap.sweeps.pruning import announce
from densecap.sweeps.search_space import Parameter
from densecap.sweeps.storage import Terms, held, open_storage, open_study
from densecap.sweeps.strategies import pruner_of, sampler_of

log = logging.getLogger(__name__)

#: Seconds between signs of life.
PULSE = 60.0


@dataclass
class Search:
    """The study ``name`` in the storage ``url``, whose trials run in folders below ``folder``."""

    name: str
    url: str
    folder: Path
    terms: Terms
    space: Mapping[str, Parameter]
    sampler: Mapping[str, Any]
    pruner: Mapping[str, Any]
    n_trials: int
    max_failures: int | None
    study: Study = field(init=False)
    failures: list[str] = field(default_factory=list)  # in a row

    def open(self) -> None:
        """Errors: UserError when the study was made on other terms, or a name or argument does not exist."""
        sampler, pruner = sampler_of(self.sampler, 0), pruner_of(self.pruner)
        self.distributions = {key: item.distribution() for key, item in self.space.items()}
        with held(self.url, self.folder):
            self.study = open_study(open_storage(self.url), self.name, self.terms, sampler=sampler, pruner=pruner)
        before = self.study.get_trials(deepcopy=False)
        if before:
            done = sum(trial.state.is_finished() for trial in before)
            log.info("the study %s has %d trials already; it is to have %d", self.name, done, self.n_trials)

    def next_trials(self, count: int) -> list[Trial]:
        """Up to ``count`` trials to run now, none when the study has all it is to have.

        Errors: UserError when trials have failed ``max_failures`` times in a row.
        """
        if self.max_failures and len(self.failures) >= self.max_failures:
            raise UserError(
                f"{len(self.failures)} trials in a row have failed, the last of them: {self.failures[-1]}; "
                f"hydra.sweeper.max_failures=null goes on all the same"
            )
        with held(self.url, self.folder):
            for number in trials.recover(self.study):
                log.info("trial %d was cut short and is tried again", number)
            known = self.study.get_trials(deepcopy=False)
            wanted = min(count, self.n_trials - trials.used(known))
            return [self._ask(trials.used(known) + place) for place in range(wanted)]

    def _ask(self, place: int) -> Trial:
        self.study.sampler = sampler_of(self.sampler, place)
        trial = trials.ask(self.study, self.distributions, self.folder)
        announce(self.folder / str(trial.number), self.url, self.name, trial._trial_id, self.pruner)
        return trial

    def overrides(self, trial: Trial) -> list[str]:
        return [self.space[key].override(value) for key, value in trial.params.items()]

    @contextmanager
    def alive(self, batch: Sequence[Trial]) -> Iterator[None]:
        """Let processes on other machines see that these trials are being worked on."""
        ended = threading.Event()

        def beat() -> None:
            while not ended.wait(PULSE):
                for trial in batch:
                    with suppress(Exception):  # a data base that is away for a moment
                        trial.set_user_attr(trials.SEEN, time.time())

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def finish(
        self, batch: Sequence[Trial], interrupted: bool = False, launcher_error: BaseException | None = None
    ) -> None:
        """Take the results of a batch from the folders of its jobs."""
        for trial in batch:
            folder = self.folder / str(trial.number)
            outcome, objective = read_outcome(folder), self._objective(folder)
            if (outcome is None and launcher_error is None) or (outcome is not None and outcome.error == STOPPED):
                self._give_back(trial, STOPPED if interrupted or outcome else "its job was killed")
                continue
            seconds = None if outcome is None else outcome.seconds
            trials.record(trial, **{trials.SECONDS: seconds})
            error = str(launcher_error) if outcome is None else outcome.error
            if error is None:
                error = "no figure was recorded" if objective is None else objective.problem
            if error is not None or objective is None:
                self._fail(trial, str(error))
            elif objective.pruned:
                self._tell(trial, objective.best, TrialState.PRUNED)
            else:
                self._tell(trial, objective.best, TrialState.COMPLETE)

    def _objective(self, folder: Path) -> Objective | None:
        found = read_objective(folder)
        return found and replace(found, mode="min" if self.terms.direction == "minimize" else "max")

    def _give_back(self, trial: Trial, reason: str) -> None:
        with held(self.url, self.folder):
            trials.give_back(self.study, self.study.get_trials(deepcopy=False)[trial.number], reason)

    def _fail(self, trial: Trial, error: str) -> None:
        self.failures.append(error)
        log.warning("trial %d failed: %s", trial.number, error)
        trials.record(trial, **{trials.ERROR: error})
        self._tell(trial, None, TrialState.FAIL)

    def _tell(self, trial: Trial, value: float | None, state: TrialState) -> None:
        if state != TrialState.FAIL:
            self.failures.clear()
            log.info(
                "trial %d: %s %s%s",
                trial.number,
                self.terms.metric,
                f"{value:.6g}" if value is not None else "-",
                ", pruned" if state == TrialState.PRUNED else "",
            )
        if state == TrialState.PRUNED:  # Optuna keeps the last value reported; the best is worth keeping, too
            trials.record(trial, best=value)
            value = None
        self.study.tell(trial, value, state, skip_if_finished=True)

    def best_value(self) -> float | None:
        """The best value of the study; None when no trial was completed."""
        complete = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return self.study.best_value if complete else None
