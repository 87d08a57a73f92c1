"""The processes of a prediction on several devices: starting them, stopping them, and noticing when one is gone."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
import torch.distributed
from pytorch_lightning.strategies import DDPStrategy
from torch import nn

from densecap.errors import UserError
from densecap.prediction.sources import Source
from densecap.tasks.prediction import Begin, PredictionTask, RankReport

#: Where the first process tells its number to those it starts.
FIRST_PROCESS = "DENSECAP_FIRST_PROCESS"

ENDED = "a process of this run was ended; what was done is kept, and the same command goes on with it"


def describe_on_devices(
    model: nn.Module, source: Source, begin: Begin, accelerator: str, devices: int | list[int]
) -> list[RankReport]:
    """Describe what is not done yet of ``source``; Lightning starts a process for each further device, which runs the
    same command line. Returns in every process what became of each."""
    _quiet()
    trainer = pl.Trainer(
        accelerator=accelerator,
        devices=devices,
        strategy=DDPStrategy(process_group_backend="gloo"),  # nothing but a few words is exchanged
        use_distributed_sampler=False,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    task = PredictionTask(model, source, begin)
    task.on_started = lambda: _start(_watch_started, getattr(trainer.strategy.launcher, "procs", []))
    first = os.environ.setdefault(FIRST_PROCESS, str(os.getpid()))
    if int(first) != os.getpid() and trainer.local_rank:
        _start(_watch_first, int(first))
    with _stopping(task, trainer):
        trainer.predict(task, return_predictions=False)
        task.finish()
        reports = _gathered(task.report, trainer.world_size)
    torch.distributed.destroy_process_group()
    os.environ.pop(FIRST_PROCESS, None)
    return reports


def _gathered(report: RankReport, world: int) -> list[RankReport]:
    reports: list[Any] = [None] * world
    try:
        torch.distributed.all_gather_object(reports, report)
    except RuntimeError as error:  # gloo's "Connection closed by peer"
        raise UserError(ENDED) from error
    return reports


def _start(watch: Callable[[Any], None], watched: Any) -> None:
    threading.Thread(target=watch, args=(watched,), daemon=True, name="watch").start()


def _watch_first(process: int) -> None:
    """End this process when the one that started it, of that number, is gone."""
    while os.getppid() == process:
        time.sleep(0.5)
    os._exit(2)


def _watch_started(processes: Sequence[subprocess.Popen]) -> None:
    """End this process, with a sentence, when one that it started was ended: the others would wait for it for ever."""
    while True:
        codes = [process.poll() for process in processes]
        if all(code == 0 for code in codes):
            return
        if any(codes):
            print(f"densecap: {ENDED}", file=sys.stderr, flush=True)
            for process in processes:
                process.kill()
            os._exit(2)
        time.sleep(0.1)


@contextmanager
def _stopping(task: PredictionTask, trainer: pl.Trainer) -> Iterator[None]:
    """Ctrl-C stops all ranks after the batch at hand; pressed again, rank 0 is broken off and takes the rest along.

    Afterwards it is rank 0's alone: the others have nothing left to lose, and one that ended of it were an accident.
    """

    def stop(number: int, frame: object) -> None:
        task.stop.set()
        task.report.stopped = True
        if trainer.global_rank == 0:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        for process in getattr(trainer.strategy.launcher, "procs", []):
            process.send_signal(signal.SIGINT)

    previous = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN if trainer.global_rank else previous)


def _quiet() -> None:
    """Leave out what Lightning says about itself."""
    for name in ("pytorch_lightning.utilities.rank_zero", "pytorch_lightning.accelerators.cuda", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
