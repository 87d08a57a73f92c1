"""The processes of work on several devices: starting them, stopping them, and noticing when one is gone."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
import torch.distributed
from pytorch_lightning.strategies import DDPStrategy

from densecap.distributed import meet_anew
from densecap.errors import UserError
from densecap.tasks.shared_work import Report, SharedWork

#: Where the first process tells its number to those it starts.
FIRST_PROCESS = "DENSECAP_FIRST_PROCESS"

#: What a process returns that Ctrl-C ended.
INTERRUPTED = (130, -signal.SIGINT)


def work_on_devices(task: SharedWork[Report], accelerator: str, devices: int | list[int]) -> list[Report]:
    """Do the work; Lightning starts a process for each further device, which runs the same command line.

    Returns to the first what became of each, to the others an empty list. Errors: UserError when one was ended.
    """
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
    _start(_watch_started, trainer.strategy.launcher, task)
    first = os.environ.setdefault(FIRST_PROCESS, str(os.getpid()))
    if int(first) != os.getpid() and trainer.local_rank:
        _start(_watch_first, int(first))
    meet_anew()
    with _stopping(task, trainer):
        trainer.predict(task, return_predictions=False)
        task.finish()
        reports = _gathered(task, trainer.global_rank, trainer.world_size)
    torch.distributed.destroy_process_group()
    os.environ.pop(FIRST_PROCESS, None)
    return reports


def _gathered(task: SharedWork[Report], rank: int, world: int) -> list[Report]:
    reports: list[Any] = [None] * world
    try:
        torch.distributed.gather_object(task.report, reports if rank == 0 else None)
        torch.distributed.barrier()  # nobody hangs up before the first has heard everybody
    except RuntimeError as error:  # gloo's "Connection closed by peer"
        raise UserError(task.ended) from error
    return [] if rank else reports


def _start(watch: Callable[..., None], *watched: Any) -> None:
    threading.Thread(target=watch, args=watched, daemon=True, name="watch").start()


def _watch_first(process: int) -> None:
    """End this process when the one that started it, of that number, is gone."""
    while os.getppid() == process:
        time.sleep(0.5)
    os._exit(2)


def _watch_started(launcher: Any, task: SharedWork) -> None:
    """End this process, with a sentence, when one that it started was ended: the others would wait for it for ever.

    Ctrl-C is heard by all processes, and ends those that have not begun yet.
    """
    while True:
        processes = list(getattr(launcher, "procs", []))  # filled when the work begins
        codes = [process.poll() for process in processes]
        if processes and all(code == 0 for code in codes):
            return
        if any(codes):
            interrupted = any(code in INTERRUPTED for code in codes)
            print(f"densecap: {'interrupted' if interrupted else task.ended}", file=sys.stderr, flush=True)
            for process in processes:
                process.kill()
            task.give_up()
            os._exit(130 if interrupted else 2)
        time.sleep(0.1)


@contextmanager
def _stopping(task: SharedWork, trainer: pl.Trainer) -> Iterator[None]:
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
    for module in ("pytorch_lightning", "lightning_fabric"):
        warnings.filterwarnings("ignore", module=module)
