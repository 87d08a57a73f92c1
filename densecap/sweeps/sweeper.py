"""The sweeper that searches with Optuna: ``hydra/sweeper=optuna``.

It is this project's own, for the plugin that Hydra offers needs an old Optuna, cannot prune, and does not go on with a
sweep that was killed. The words of the plugin's configuration are kept.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from densecap.errors import UserError
from densecap.sweeps.outcome import mode_of
from densecap.sweeps.search_space import Parameter, override_texts, split
from densecap.sweeps.storage import Terms, address, require_optuna

if TYPE_CHECKING:
    from densecap.sweeps.search import Search

log = logging.getLogger(__name__)

DIRECTIONS = {"min": "minimize", "max": "maximize"}
#: Overrides that change where a trial writes or what it prints, not what it finds.
NO_TERMS = ("hydra", "paths.", "logger", "callbacks.progress", "trainer.enable_progress_bar", "hparams_search")


class OptunaSweeper(Sweeper):
    """Runs trials until the study has ``n_trials``; configs/hydra/sweeper/optuna.yaml explains the parameters."""

    def __init__(
        self,
        n_trials: int = 20,
        n_jobs: int = 1,
        direction: str | None = None,
        study_name: str | None = None,
        storage: str | None = None,
        sampler: Mapping[str, Any] | None = None,
        pruner: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        search_space: Mapping[str, Any] | None = None,
        max_failures: int | None = 5,
        custom_search_space: str | None = None,
    ) -> None:
        if custom_search_space:
            raise UserError("hydra.sweeper.custom_search_space is not supported: list the keys in hydra.sweeper.params")
        self.n_trials, self.n_jobs, self.max_failures = int(n_trials), max(int(n_jobs), 1), max_failures
        self.direction, self.study_name, self.storage = direction, study_name, storage
        self.sampler, self.pruner = _plain(sampler) or {"name": "tpe"}, _plain(pruner) or {"name": "none"}
        self.params = {**_plain(search_space), **_plain(params)}
        self.launcher: Launcher | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.settings = config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        """Run the trials that are missing. Errors: UserError for terms that do not fit; KeyboardInterrupt."""
        require_optuna()
        from densecap.sweeps.search import Search

        folder = Path(str(self.settings.hydra.sweep.dir)).resolve()
        fixed, space = split([*override_texts(self.params), *arguments])
        terms = self._terms(fixed, space)
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.settings, folder / "multirun.yaml")
        search = Search(
            name=str(self.study_name or self.settings.hydra.job.name),
            url=address(self.storage, folder),
            folder=folder,
            terms=terms,
            space=space,
            sampler=self.sampler,
            pruner=self.pruner,
            n_trials=self.n_trials,
            max_failures=self.max_failures,
        )
        self._run(search, fixed)
        return search.best_value()

    def _run(self, search: Search, fixed: Sequence[str]) -> None:
        assert self.launcher is not None
        search.open()
        while batch := search.next_trials(self.n_jobs):
            jobs = [[*fixed, *search.overrides(trial), f"hydra.sweep.subdir='{trial.number}'"] for trial in batch]
            try:
                with search.alive(batch):
                    self.launcher.launch(jobs, initial_job_idx=batch[0].number)
            except KeyboardInterrupt:
                search.finish(batch, interrupted=True)
                raise
            except Exception as error:  # a launcher's own, such as a queue's
                log.exception("the launcher has failed")
                search.finish(batch, launcher_error=error)
            else:
                search.finish(batch)

    def _terms(self, fixed: Sequence[str], space: Mapping[str, Parameter]) -> Terms:
        metric = str(OmegaConf.select(self.settings, "optimized_metric") or "auto")
        if not space:
            raise UserError(
                "there is nothing to search: name keys in hydra.sweeper.params, or on the command line, as in "
                "'optimizer.lr=tag(log, interval(1e-5,1e-3))'"
            )
        direction = _direction(self.direction, metric)
        kept = sorted(text for text in fixed if not text.lstrip("+~").startswith(NO_TERMS))
        return Terms(metric, direction, kept, {key: item.describe() for key, item in sorted(space.items())})


def _direction(typed: Any, metric: str) -> str:
    """``maximize`` or ``minimize``; of a metric by name when nothing is typed. Errors: UserError."""
    if OmegaConf.is_list(typed):
        raise UserError("hydra.sweeper.direction is one direction: a sweep here has one aim")
    text = str(getattr(typed, "name", typed) or "auto")
    if text == "auto":
        if metric == "auto":
            raise UserError("say what to search for: optimized_metric=val/loss, val/dense_mAP, val/CIDEr, ...")
        return DIRECTIONS[mode_of(metric)]
    if text not in DIRECTIONS.values():
        raise UserError(f"hydra.sweeper.direction={text}: it is minimize, maximize or auto")
    return text


def _plain(node: Any) -> dict[str, Any]:
    if node is None:
        return {}
    plain: Any = OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node
    return {str(key): value for key, value in plain.items()}
