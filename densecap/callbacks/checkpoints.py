"""Keeping the best and the last states of a run."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any
from weakref import proxy

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor

from densecap.callbacks.stop_request import Stopped, StopRequest

#: Names of the last state and of the one before it, without ``.ckpt``.
LAST, PREVIOUS = "last", "previous"

#: Optimiser steps between two looks at the clock when several processes have to agree on the time.
CLOCK_STEPS = 10


class BestAndLast(ModelCheckpoint):
    """``checkpoints/best.ckpt`` by a validation figure, ``checkpoints/last.ckpt`` and, before it, ``previous.ckpt``.

    The last state is saved at every validation, every ``every_minutes`` (None: not by the clock) and every
    ``every_steps`` optimiser steps (None: not by steps), when a signal stops the run (``StopRequest``), on an error and
    at the end. A file appears under its name when it is whole, and the state before is kept: whenever the process is
    killed, one of the two can be gone on with.

    With ``monitor: null`` the best is the latest. Of equally good states the latest is the best, for dense mAP is 0 as
    long as a model is very young. ``mode: auto`` is min for losses and perplexity, max for everything else.
    """

    def __init__(
        self,
        dirpath: str | None = None,
        monitor: str | None = "val/loss",
        mode: str = "auto",
        every_minutes: float | None = None,
        every_steps: int | None = None,
    ) -> None:
        if mode == "auto":
            mode = "min" if "loss" in (monitor or "loss") or "perplexity" in (monitor or "") else "max"
        super().__init__(
            dirpath=dirpath,
            filename="best",
            monitor=monitor,
            mode=mode,
            save_last=True,
            auto_insert_metric_name=False,
            enable_version_counter=False,
        )
        self.every_minutes, self.every_steps = every_minutes, every_steps
        self.stop = StopRequest()
        self._saved_at, self._saves, self._last_step = time.monotonic(), 0, -1  # of the last state

    def check_monitor_top_k(self, trainer: pl.Trainer, current: Tensor | None = None) -> bool:
        """Whether a figure is the best so far or as good; all processes decide alike."""
        equal = current is not None and _is_equal(current, self.best_model_score)
        return trainer.strategy.reduce_boolean_decision(equal) or super().check_monitor_top_k(trainer, current)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        super().on_train_start(trainer, pl_module)
        self.stop.listen(trainer)
        self._saved_at = time.monotonic()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save where it is due; between two steps only, where a state is whole: this callback is the last one."""
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        if trainer.fit_loop._should_accumulate():
            return
        stopped = self.stop.agreed(trainer)
        if stopped or self._is_due(trainer):
            self._save_last_state(trainer)
        if stopped:
            self.stop.carry_out(trainer)

    def on_validation_batch_end(self, trainer: pl.Trainer, *arguments: Any, **options: Any) -> None:
        """A run that is stopped in the middle of a validation goes on with the state that was saved before."""
        if self.stop.agreed(trainer):
            self.stop.carry_out(trainer)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        fitting = trainer.state.fn == "fit" and not trainer.sanity_checking
        before = self._saves
        super().on_validation_end(trainer, pl_module)
        if fitting and before == self._saves and not self._should_save_on_train_epoch_end(trainer):
            self._save_last_state(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        before = self._saves
        super().on_train_epoch_end(trainer, pl_module)
        if before == self._saves:
            self._save_last_state(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The last state is the last one, also where a limit of steps ends a run between validations."""
        super().on_train_end(trainer, pl_module)
        self._save_last_state(trainer)
        self.stop.ignore()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Keep what a run that ends by an error has learned; of several processes the others would not join in."""
        self.stop.ignore()
        alone = trainer.world_size == 1
        if alone and trainer.training and trainer.global_step > 0 and not isinstance(exception, Stopped):
            self._save_last_state(trainer)

    def _is_due(self, trainer: pl.Trainer) -> bool:
        step = trainer.global_step
        if self.every_steps and step % self.every_steps == 0:
            return True
        if self.every_minutes is None or (trainer.world_size > 1 and step % CLOCK_STEPS):
            return False
        late = time.monotonic() - self._saved_at >= 60 * self.every_minutes
        return bool(trainer.strategy.broadcast(late))

    def _save_last_state(self, trainer: pl.Trainer) -> None:
        if self.dirpath and not trainer.fast_dev_run:  # type: ignore[attr-defined]
            self._save_checkpoint(trainer, str(Path(self.dirpath) / f"{LAST}.ckpt"))

    def _save_checkpoint(self, trainer: pl.Trainer, filepath: str) -> None:
        """Save under a temporary name first, and keep the last state under another name."""
        path = Path(filepath)
        partial = path.with_name(f".{path.name}.part")
        trainer.save_checkpoint(partial, self.save_weights_only)
        if trainer.is_global_zero:
            if path.stem == LAST and path.exists() and self._last_step != trainer.global_step:
                _keep(path, path.with_stem(PREVIOUS))
            partial.replace(path)
        trainer.strategy.barrier("checkpoint in its place")
        if path.stem == LAST:
            self._saved_at, self._saves, self._last_step = time.monotonic(), self._saves + 1, trainer.global_step
        else:  # else a figure of this very step would not be looked at any more
            self._last_global_step_saved, self._last_checkpoint_saved = trainer.global_step, filepath
        for logger in trainer.loggers if trainer.is_global_zero else []:
            logger.after_save_checkpoint(proxy(self))


def _keep(path: Path, previous: Path) -> None:
    """Give a file, which is about to be replaced, another name as well: at no moment is there none under its own."""
    link = path.with_name(f".{previous.name}.part")
    try:
        link.unlink(missing_ok=True)
        os.link(path, link)
        link.replace(previous)
    except OSError:  # a file system without links
        path.replace(previous)
    finally:
        link.unlink(missing_ok=True)  # replacing another link of the same file changes nothing


def _is_equal(figure: Tensor, best: Tensor | None) -> bool:
    """Whether a figure is as good as the best; Lightning keeps one that is no number as infinitely bad."""
    return best is not None and bool(figure == best or (figure.isnan() and best.isinf()))
