"""Describing the images of a source on several devices with Lightning: each image once, whatever happens to the rest.

Every process (rank) takes its share of the images that are not done yet, and notes in a journal of its own what it did.
Nothing but the start and the end is common: a rank that stops early leaves its images to the next run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from torch import nn

from densecap.prediction.journal import Journal, stamp_of
from densecap.prediction.loop import Describing, Step
from densecap.prediction.outcome import Outcome
from densecap.prediction.sources import Source, Unread
from densecap.tasks.shared_work import SharedWork, WorkReport

#: Makes a rank's part of the run, which writes into its outcome.
Begin = Callable[[int, Outcome], Describing]


@dataclass
class RankReport(WorkReport):
    """What became of a rank: its ``outcome``, and whether and why it was ended before its time."""

    outcome: Outcome = field(default_factory=Outcome)


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


class PredictionTask(SharedWork[RankReport]):
    """Lightning's view of predicting: batches are lists of steps, which ``Describing`` takes."""

    ended = "a process of this run was ended; what was done is kept, and the same command goes on with it"

    def __init__(self, model: nn.Module, source: Source, begin: Begin) -> None:
        super().__init__(model, RankReport())
        self._source, self._begin = source, begin
        self._run: Describing | None = None

    def setup(self, stage: str) -> None:
        """Open the journals when every rank is there, and write to them when every rank has read them."""
        super().setup(stage)
        self._run = self._begin(self.global_rank, self.report.outcome)
        self.trainer.strategy.barrier("after the journals are read")

    def batches(self) -> Iterator[list[Step]]:
        assert self._run is not None and self._run.outputs.journal is not None
        share = Share(self._source, self._run.outputs.journal, self.global_rank, self.trainer.world_size, self.stop)
        yield from self._run.batches(share)

    def take(self, batch: list[Step]) -> None:
        assert self._run is not None
        self._run.take(batch)

    def finish(self) -> None:
        """Wait for the files under way and close them."""
        if self._run is not None:
            with self.noting_problems():
                self._run.outputs.finish(self.report.outcome, self._run.report)
            with self.noting_problems():
                self._run.outputs.close(self.report.outcome)
