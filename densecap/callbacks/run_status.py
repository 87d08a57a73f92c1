"""Keeps ``status.json`` of the run folder (``densecap.runs.status``) up to date."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.utilities.exceptions import SIGTERMException

from densecap.callbacks.stop_request import Stopped
from densecap.runs.history import lower_is_better
from densecap.runs.status import FAILED, FINISHED, INTERRUPTED, RUNNING, RunStatus, read_status


class RunStatusFile(pl.Callback):
    """Says running, finished, failed (and why) or interrupted; with the best figures of validation so far.

    While the run works it gives a sign of life every ``seconds``; one that is killed is known by the lack of it.
    """

    def __init__(self, seconds: float = 30.0) -> None:
        self.seconds = seconds
        self.status: RunStatus | None = None
        self._written = 0.0

    def setup(self, trainer: pl.Trainer, pl_module: Any, stage: str) -> None:
        if trainer.is_global_zero and stage == "fit":
            before = read_status(Path(trainer.default_root_dir))
            self._write(trainer, RunStatus.begin(pl_module.config, before))

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        self._sign_of_life(trainer)

    def on_validation_batch_end(self, trainer: pl.Trainer, *_: Any, **__: Any) -> None:
        self._sign_of_life(trainer)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if self.status is None or trainer.sanity_checking:
            return
        best = dict(self.status.best)
        for name, value in trainer.callback_metrics.items():
            if name.startswith("val/") and math.isfinite(float(value)):
                best[name] = _better(name, best.get(name), float(value))
        self._write(trainer, self.status.at(trainer.current_epoch, trainer.global_step, best))

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if self.status is not None:
            self._write(trainer, self.status.at(trainer.current_epoch + 1, trainer.global_step))

    def on_exception(self, trainer: pl.Trainer, pl_module: Any, exception: BaseException) -> None:
        if self.status is None:
            return
        stopped = isinstance(exception, KeyboardInterrupt | SIGTERMException | Stopped)
        reason = type(exception).__name__ + "".join(f": {line}" for line in str(exception).splitlines()[:1])
        self._write(trainer, self.status.at(self.status.epoch, trainer.global_step))
        self._write(trainer, self.status.end(INTERRUPTED if stopped else FAILED, None if stopped else reason))

    def teardown(self, trainer: pl.Trainer, pl_module: Any, stage: str) -> None:
        if self.status is not None and self.status.state == RUNNING:
            self._write(trainer, self.status.at(self.status.epoch, trainer.global_step).end(FINISHED))

    def _sign_of_life(self, trainer: pl.Trainer) -> None:
        if self.status is not None and time.monotonic() - self._written > self.seconds:
            self._write(trainer, self.status.at(trainer.current_epoch, trainer.global_step))

    def _write(self, trainer: pl.Trainer, status: RunStatus) -> None:
        self.status, self._written = status, time.monotonic()
        status.write(Path(trainer.default_root_dir))


def _better(name: str, before: float | None, value: float) -> float:
    if before is None:
        return value
    return min(before, value) if lower_is_better(name) else max(before, value)
