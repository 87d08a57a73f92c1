"""Signals that ask a run to end: it ends between two steps, where its state can be saved whole."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.plugins.environments import SLURMEnvironment
from pytorch_lightning.utilities.rank_zero import rank_zero_info, rank_zero_warn

#: Ctrl-C and the polite kill end a run; the other two are what SLURM is told to send some time before the job's end.
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2") if hasattr(signal, name))
WARNINGS = SIGNALS[2:]


class Stopped(Exception):
    """Raised where a run ends because of signal ``number``; ``requeued``: SLURM will start it again."""

    def __init__(self, number: int, requeued: bool = False) -> None:
        self.number, self.requeued = number, requeued
        super().__init__(f"stopped by {signal.Signals(number).name}")

    @property
    def exit_status(self) -> int:
        """As shells tell it; 0 for a job that SLURM starts again."""
        return 0 if self.requeued else 128 + self.number


class StopRequest:
    """The wish to stop, from the moment a signal arrives until the callbacks of the running step are through.

    Lightning's own handlers save in the middle of a step: the batch at hand would be left out after a resume, and of
    several processes one could wait for another that waits for its gradient. A second Ctrl-C ends the run at once.
    With several processes all stop at the same step, whichever of them was sent the signal.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._before: dict[int, Any] = {}

    def listen(self, trainer: pl.Trainer) -> None:
        """From now on signals are taken; they keep their handlers where this is not the main thread."""
        if threading.current_thread() is not threading.main_thread() or self._before:
            return
        for number in SIGNALS:
            handler = signal.getsignal(number)
            if number in WARNINGS and not _is_slurm(trainer):
                continue
            if getattr(type(getattr(handler, "__self__", handler)), "__module__", "").startswith("submitit"):
                continue  # it puts the job back into the queue by itself
            self._before[number] = handler
            signal.signal(number, self._note)

    def ignore(self) -> None:
        """Give the signals back their handlers."""
        for number, handler in self._before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        self._before = {}

    def agreed(self, trainer: pl.Trainer) -> bool:
        """Whether any process was asked to stop; to be called by all of them at the same time."""
        wanted = self.number is not None
        if not self._before or trainer.world_size == 1:
            return wanted
        return trainer.strategy.reduce_boolean_decision(wanted, all=False)

    def carry_out(self, trainer: pl.Trainer) -> None:
        """Put a SLURM job back into the queue if it was warned, and leave the loops. Always raises ``Stopped``."""
        numbers = [-1 if self.number is None else int(self.number)]
        if trainer.world_size > 1:
            numbers = _gathered(numbers[0], trainer.world_size)
        number = max(numbers)
        environment = trainer._accelerator_connector.cluster_environment
        requeue = number in WARNINGS and _is_slurm(trainer) and getattr(environment, "auto_requeue", True)
        if requeue:
            self._await_the_end(trainer)
        if requeue and trainer.is_global_zero:
            requeue_job()
        raise Stopped(number, requeue)

    def _await_the_end(self, trainer: pl.Trainer) -> None:
        """SLURM sends SIGTERM to the processes of a job that it takes back: what is to be saved is, and all of them are
        about to end. Lightning, which gives the signal its first handler back, would have them wait for each other."""
        self.ignore()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        trainer.strategy.barrier("nobody listens any more")

    def _note(self, number: int, frame: Any) -> None:
        if self.number is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.number = number
        rank_zero_info(f"{signal.Signals(number).name}: stopping after this step")


def requeue_job() -> bool:
    """Ask SLURM to start this job again; says so when it will not."""
    array, job = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_JOB_ID", "")
    name = f"{array}_{os.environ.get('SLURM_ARRAY_TASK_ID', '')}" if array else job
    if not re.fullmatch(r"\d+(_\d+)?", name):
        rank_zero_warn(f"SLURM gave no job to put back into the queue (SLURM_JOB_ID={name!r})")
        return False
    with contextlib.suppress(OSError):
        if subprocess.run(["scontrol", "requeue", name], check=False).returncode == 0:
            rank_zero_info(f"job {name} is back in the queue")
            return True
    rank_zero_warn(f"scontrol requeue {name} did not work: submit the same script again")
    return False


def _is_slurm(trainer: pl.Trainer) -> bool:
    return isinstance(trainer._accelerator_connector.cluster_environment, SLURMEnvironment)


def _gathered(number: int, world: int) -> list[int]:
    from torch import distributed

    numbers: list[Any] = [None] * world
    distributed.all_gather_object(numbers, number)
    return numbers
