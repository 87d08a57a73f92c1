"""Telling a sweep how its trial goes, and ending it early where others went better."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytorch_lightning as pl


class TrialObjective(pl.Callback):
    """Hands the values of ``metric`` at all validations to ``record``, and asks ``judge`` whether to go on.

    ``record(values, pruned)`` and ``judge(validation, value)`` are called on rank 0 alone, after every validation
    (numbered from 1); all ranks follow its decision. ``judge`` is None in a run that is no trial. A trial whose loss or
    figure is not finite ends, too: nothing can come of it. Values survive a resume.
    """

    def __init__(
        self,
        metric: str,
        record: Callable[[Sequence[float], bool], None],
        judge: Callable[[int, float], bool] | None = None,
    ) -> None:
        self.metric, self.record, self.judge = metric, record, judge
        self.values: list[float] = []

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.sanity_checking or trainer.state.fn != "fit":
            return
        figures = {name: float(value) for name, value in trainer.callback_metrics.items()}
        if self.metric not in figures:
            return
        is_lost = not math.isfinite(figures.get("val/loss", 0.0))
        self.values.append(math.nan if is_lost else figures[self.metric])
        ends = pruned = False
        if trainer.is_global_zero:
            is_lost = not math.isfinite(self.values[-1])
            pruned = self.judge is not None and not is_lost and self.judge(len(self.values), self.values[-1])
            ends = pruned or (self.judge is not None and is_lost)
            self.record(self.values, pruned)
        if trainer.strategy.broadcast(ends):
            trainer.should_stop = True

    def state_dict(self) -> dict[str, Any]:
        return {"values": list(self.values)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.values = list(state_dict["values"])
