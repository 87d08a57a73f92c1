"""Handing a checked request to Hydra, and running the command inside."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, open_dict, read_write

from densecap.cli import locations, run_folder
from densecap.cli.arguments import Request
from densecap.cli.composition import COMPOSITION_ERRORS, VERSION_BASE, one_line
from densecap.cli.quoting import quote
from densecap.errors import UserError
from densecap.sweeps import plugins
from densecap.sweeps.conclusion import conclude
from densecap.sweeps.job import OF_THE_SWEEP, follow_parent, is_recorded, is_typed, run_job

#: What Lightning sets for the processes it starts, to be forgotten before the next job of a sweep.
LAUNCHER_VARIABLES = ("LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


def launch(request: Request, config: DictConfig, words: list[str]) -> int:
    """Run the command (once, or once for each job of a sweep) and return its highest exit status.

    ``words`` is what stands before the overrides in a command line that repeats this run (``["train"]`` for
    ``python -m densecap train``): Lightning starts its other processes with it.
    Errors: UserError when the configuration does not compose; whatever else the command raises comes through.
    """
    run_folder.register(claim=request.runs, resume=not request.multirun)
    overrides = request.overrides
    if request.multirun:  # one folder for the sweep, also when a launcher starts its jobs elsewhere
        sweep_folder, since = Path(str(config.hydra.sweep.dir)), time.time()
        overrides = [*overrides, f"hydra.sweep.dir={quote(str(sweep_folder))}"]
        plugins.register()
    elif request.runs and config.hydra.runtime.choices.get("hparams_search") and is_typed(os.environ):
        print("densecap: hparams_search without -m trains once, as configured; -m searches", file=sys.stderr)
    statuses: list[int] = []
    started: list[bool] = []

    def job(job_config: DictConfig) -> int:
        started.append(True)
        follow_parent(os.environ)
        run_folder.register_again()
        with _as_one_run(request, words):
            statuses.append(_one_job(request, job_config))
        return statuses[-1]

    arguments = [*overrides, *request.hydra_flags()]
    main = hydra.main(str(locations.config_dir()), request.command.config_name, VERSION_BASE)(job)
    try:
        with _arguments(arguments), _environment({"HYDRA_FULL_ERROR": "1"}):
            main()
    except (*COMPOSITION_ERRORS, OSError) as error:
        if started:
            raise
        raise UserError(one_line(error)) from error
    if request.multirun and request.runs:
        return conclude(sweep_folder, since, plugins.searches(str(config.hydra.sweeper._target_)))
    return max(statuses, default=0)


def _one_job(request: Request, config: DictConfig) -> int:
    """Run the command; where it is a job of a sweep, what became of it is recorded in its folder."""
    if not request.multirun and not is_recorded(os.environ):
        return run_command(request, config)
    own = HydraConfig.get()
    command, overrides = partial(_call, request, config), [str(text) for text in own.overrides.task]
    try:
        return run_job(command, Path(str(own.runtime.output_dir)), overrides, survive=request.multirun)
    except UserError as error:
        return report(error)


def run_command(request: Request, config: DictConfig) -> int:
    """Import the command and run it; a UserError becomes one line on standard error and status 2."""
    try:
        return _call(request, config)
    except UserError as error:
        return report(error)


def _call(request: Request, config: DictConfig) -> int:
    """Import the command and run it.

    NumPy, which reads this variable when it is imported, multiplies matrices in the thread that asks: commands bring
    threads of their own, which would wait for each other's (scoring pairs takes twice as long then).
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    return int(import_module(request.command.run_module).run(config) or 0)


def report(error: UserError) -> int:
    """Show a mistake of the user's as one line; returns the exit status that goes with it."""
    print(f"densecap: {' '.join(str(error).split())}", file=sys.stderr, flush=True)
    return 2


@contextmanager
def _as_one_run(request: Request, words: list[str]) -> Iterator[None]:
    """Make ``sys.argv`` and Hydra's run folder those of one job, for the processes Lightning starts by repeating them.

    In a sweep they would otherwise each start the whole sweep again. Afterwards what Lightning left in the
    environment is taken out, so that the next job starts its own processes.
    """
    own = HydraConfig.instance().cfg.hydra  # type: ignore[union-attr]
    if request.multirun:
        kept = [text for text in own.overrides.hydra if not text.lstrip("+~").startswith(OF_THE_SWEEP)]
        overrides = [*own.overrides.task, *kept]
        with read_write(own), open_dict(own):
            own.run.dir = own.runtime.output_dir
    else:
        overrides = [*request.overrides, *request.hydra_flags()]
    saved = {name: os.environ.get(name) for name in LAUNCHER_VARIABLES}
    try:
        with _arguments([*words, *overrides]):
            yield
    finally:
        for name, value in saved.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextmanager
def _arguments(arguments: list[str]) -> Iterator[None]:
    before = sys.argv
    sys.argv = [before[0], *arguments]
    try:
        yield
    finally:
        sys.argv = before


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
