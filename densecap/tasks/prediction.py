"""Describing the images of a source on several devices with Lightning: each image once, whatever happens to the rest.

Every process (rank) takes its share of the images that are not done yet, and notes in a journal of its own what it did.
Nothing but the start and the end is common: a rank that stops early leaves its images to the next run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytorch_lightning as pl
import torch
from torch import nn

from densecap.errors import UserError
from densecap.prediction.journal import Journal, stamp_of
from densecap.prediction.loop import Describing, Step
from densecap.prediction.outcome import Outcome
from densecap.prediction.sources import Source, Unread

#: Makes a rank's part of the run, which writes into its outcome.
Begin = Callable[[int, Outcome], Describing]


@dataclass
class RankReport:
    """What became of a rank: its ``outcome``, whether Ctrl-C ``stopped`` it, and the ``problem`` that ended it."""

    outcome: Outcome = field(default_factory=Outcome)
    stopped: bool = False
    problem: str = ""


@dataclass(frozen=True)
class Share:
    """The images of a source that are not in the journal, those of one rank; none any more once ``stop`` is set.

    All ranks must see the same journal. What is not the same another time (standard input, a stream) is left out.
    """

    source: Source
    journal: Journal
    rank: int
    world: int
    stop: threading.Event

    @property
    def total(self) -> int | None:
        return self.source.total

    def __iter__(self) -> Iterator[Unread]:
        number = 0
        for item in self.source:
            if self.stop.is_set():
                return
            if stamp_of(item) is None or self.journal.knows(item):
                continue
            if number % self.world == self.rank:
                yield item
            number += 1


class PredictionTask(pl.LightningModule):
    """Lightning's view of predicting: batches are lists of steps, which ``Describing`` takes."""

    def __init__(self, model: nn.Module, source: Source, begin: Begin) -> None:
        super().__init__()
        self.model = model
        self.report, self.stop = RankReport(), threading.Event()
        #: Called when the processes were started.
        self.on_started: Callable[[], None] = lambda: None
        self._source, self._begin = source, begin
        self._run: Describing | None = None

    def setup(self, stage: str) -> None:
        """Open the journals when every rank is there, and write to them when every rank has read them."""
        self.on_started()
        self.trainer.strategy.barrier("before the journals are read")
        self._run = self._begin(self.global_rank, self.report.outcome)
        self.trainer.strategy.barrier("after the journals are read")

    def predict_dataloader(self) -> Any:
        return _Batches(self)

    def steps(self) -> Iterator[list[Step]]:
        """The batches of this rank."""
        assert self._run is not None and self._run.outputs.journal is not None
        share = Share(self._source, self._run.outputs.journal, self.global_rank, self.trainer.world_size, self.stop)
        yield from self._run.batches(share)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        return batch  # the model takes images as they were read

    def predict_step(self, batch: list[Step], batch_idx: int) -> None:
        if self.stop.is_set():
            return
        assert self._run is not None
        with self._noting_problems():
            self._run.take(batch)

    def finish(self) -> None:
        """Wait for the files under way and close them."""
        if self._run is not None:
            with self._noting_problems():
                self._run.outputs.finish(self.report.outcome, self._run.report)
            with self._noting_problems():
                self._run.outputs.close(self.report.outcome)

    @contextmanager
    def _noting_problems(self) -> Iterator[None]:
        """A rank with a problem takes no more images, but stays until the others are done."""
        try:
            yield
        except (UserError, OSError) as error:
            self.report.problem = self.report.problem or str(error)
            self.stop.set()


@dataclass
class _Batches:
    """The loader, which must not begin before the journals are open."""

    task: PredictionTask

    def __iter__(self) -> Iterator[list[Step]]:
        return self.task.steps()
