"""Running a model over a split on several devices: every process takes whole batches, the very ones of a process alone.

So each says what one process says, to the last bit, and the figures are computed by the first of everything together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from torch import Tensor

from densecap.distributed import call_off, is_called_off
from densecap.evaluation.model_pass import ModelFigures, ModelPass, Shown
from densecap.prediction.writers import Writer
from densecap.structures import Prediction
from densecap.tasks.shared_work import SharedWork, WorkReport


class Kept(Writer):
    """Keeps predictions for another process to write."""

    def __init__(self) -> None:
        self.predictions: list[Prediction] = []

    def add(self, prediction: Prediction) -> None:
        self.predictions.append(prediction)

    def close(self, summary: dict[str, Any]) -> None:
        """Nothing is written."""

    def discard(self) -> None:
        """Nothing is there."""


@dataclass
class PassReport(WorkReport):
    """What a rank found: ``predictions`` by protocol, losses and tokens batch by batch, recall by image id."""

    images: int = 0
    predictions: dict[str, list[Prediction]] = field(default_factory=dict)
    losses: list[Tensor] = field(default_factory=list)
    tokens: list[Tensor] = field(default_factory=list)
    recall: dict[str, Any] = field(default_factory=dict)


class EvaluationTask(SharedWork[PassReport]):
    """Lightning's view of a pass over a split; ``run`` has writers that keep what they are given (``Kept``).

    ``advance`` is told how many images this rank has done. ``guard`` surrounds every batch. A rank with a problem ends
    the work of all.
    """

    ended = "a process of this evaluation was ended; the same command begins it again"

    def __init__(
        self, run: ModelPass, advance: Callable[[int], None], guard: Callable[[], AbstractContextManager[None]]
    ) -> None:
        super().__init__(run.model, PassReport())
        self.run, self._advance, self._guard = run, advance, guard

    def batches(self) -> Iterator[Shown]:
        for shown in self.run.batches(self.global_rank, self.trainer.world_size):
            if self.stop.is_set() or is_called_off():
                return
            yield shown

    def take(self, batch: Shown) -> None:
        with self._guard():
            count = self.run.take(batch)
        self.report.images += count
        self._advance(count)

    def finish(self) -> None:
        report, run = self.report, self.run
        report.predictions = {name: own.predictions for name, own in run.writers.items() if isinstance(own, Kept)}
        report.losses = [losses.cpu() for losses in run.figures.losses]
        report.tokens = [tokens.cpu() for tokens in run.figures.tokens]
        if run.wanted.proposal_recall is not None:
            report.recall = dict(run.wanted.proposal_recall.records)

    @contextmanager
    def noting_problems(self) -> Iterator[None]:
        with super().noting_problems():
            yield
        if self.report.problem:
            call_off()


def put_together(reports: Sequence[PassReport], run: ModelPass, writers: dict[str, Writer]) -> ModelFigures:
    """Hand on to the ``writers`` what all ranks found, in the order of the split; the figures are those of all."""
    places = {image.image_id: place for place, image in enumerate(run.truth.images)}
    for name, writer in writers.items():
        found = [prediction for own in reports for prediction in own.predictions[name]]
        for prediction in sorted(found, key=lambda prediction: places[prediction.image_id]):
            writer.add(prediction)
    if run.wanted.proposal_recall is not None:
        for own in reports:
            run.wanted.proposal_recall.records |= own.recall
    in_turn = (zip_longest(*parts) for parts in ([own.losses for own in reports], [own.tokens for own in reports]))
    losses, tokens = ([item for turn in turns for item in turn if item is not None] for turns in in_turn)
    return ModelFigures(losses, tokens)
