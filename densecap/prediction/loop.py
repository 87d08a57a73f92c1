"""Describing many images: read ahead, caption in batches, write as results come, keep what is done when interrupted."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from densecap.data.pixels import image_of_pixels
from densecap.errors import UserError
from densecap.prediction.interrupts import unbroken
from densecap.prediction.outcome import Outcome
from densecap.prediction.outputs import Outputs, Step
from densecap.prediction.reading import Picture, read_pictures
from densecap.prediction.sources import Source, Unread
from densecap.structures import Prediction, RegionPrediction

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "Caption",
    "Describing",
    "Outcome",
    "Outputs",
    "Step",
    "check_finite",
    "predict_files",
    "unbroken",
    "write_earlier",
]

#: What describes images, given with what is known of each: (3, H, W) uint8 pictures to the regions of each.
Caption = Callable[[Sequence[Unread], "list[Tensor]"], list[list[RegionPrediction]]]

#: Images that are done already and wait, at most, for those among them that fill a batch.
_PATIENCE = 64


def predict_files(
    caption: Caption,
    source: Source,
    outputs: Outputs,
    batch_size: int,
    outcome: Outcome,
    report: Callable[[Step], None] = lambda step: None,
) -> None:
    """Describe the images of ``source`` with ``caption``, into ``outputs`` and ``outcome``.

    What an earlier run did is not done again, but written in its place. ``report`` is called for every image when it
    is done with. The outputs are closed in any case; after Ctrl-C they hold what was done by then, in this run or
    before. Errors: UserError when the model's figures are not finite, OSError from writing.
    """
    start = time.perf_counter()
    run = Describing(caption, outputs, batch_size, outcome, report)
    try:
        for steps in run.batches(source):
            run.take(steps)
        outputs.finish(outcome, report)
        outcome.complete = True
    except KeyboardInterrupt:
        outcome.stopped = "interrupt"
    except BrokenPipeError:
        outcome.stopped = "pipe"
    finally:
        with unbroken(raise_after=False):
            try:
                if outcome.stopped != "pipe":
                    outputs.finish(outcome, report)
                    if not outcome.complete:
                        run.take_earlier(source)
            finally:
                outcome.seconds += time.perf_counter() - start
                outputs.close(outcome)


def write_earlier(
    source: Source, outputs: Outputs, outcome: Outcome, report: Callable[[Step], None] = lambda step: None
) -> None:
    """Write what was done of ``source`` before, and describe nothing more. Errors: OSError."""
    with unbroken(raise_after=False):
        try:
            Describing(lambda items, images: [], outputs, 1, outcome, report).take_earlier(source)
        finally:
            outputs.close(outcome)


class Describing:
    """A run in parts: batches of steps to take, and taking one; for loops that somebody else drives."""

    def __init__(
        self,
        caption: Caption,
        outputs: Outputs,
        batch_size: int,
        outcome: Outcome,
        report: Callable[[Step], None] = lambda step: None,
    ) -> None:
        self.caption, self.outputs, self.batch_size = caption, outputs, batch_size
        self.outcome, self.report = outcome, report

    def batches(self, source: Source) -> Iterator[list[Step]]:
        """The images in order, read, in lists with ``batch_size`` to describe and those between that are done.

        Of a stream (``source.total`` is None) lists come as they are read.
        """
        steps: deque[Step] = deque()
        batch: list[Step] = []
        for pictures in read_pictures(self._unread(source, steps), self.batch_size):
            for picture in pictures:
                batch.append(_with_picture(steps.popleft(), picture))
                self.outcome.stages["decode"] += picture.seconds
                if _to_describe(batch) >= self.batch_size or len(batch) >= self.batch_size + _PATIENCE:
                    yield batch
                    batch = []
            if batch and source.total is None:
                yield batch
                batch = []
        if batch:
            yield batch

    def take(self, steps: Sequence[Step]) -> None:
        """Describe those that are to be, and hand all on to be written."""
        wanted = [step for step in steps if step.prediction is None and step.image is not None]
        if wanted:
            start = time.perf_counter()
            images = [step.image for step in wanted if step.image is not None]
            found = self.caption([step.item for step in wanted], images)
            self.outcome.stages["caption"] += time.perf_counter() - start
            for step, image, regions in zip(wanted, images, found, strict=True):
                step.prediction = _prediction(step.item, image, regions)
        for step in steps:
            self.outputs.put(step, self.outcome, self.report)

    def take_earlier(self, source: Source) -> None:
        """Hand on what earlier runs did of the images that this one did not come to."""
        if self.outputs.journal is None or not len(self.outputs.journal):
            return
        before = self.outputs.taken
        for number, item in enumerate(source):
            step = self.outputs.plan(item) if number >= before else None
            if step is not None and step.prediction is not None:
                step.missing, step.in_video = (), False
                self.outputs.put(step, self.outcome, self.report)
        self.outputs.finish(self.outcome, self.report)

    def _unread(self, source: Source, steps: deque[Step]) -> Iterator[Unread]:
        for item in source:
            step = self.outputs.plan(item)
            steps.append(step)
            yield item if step.needs_pixels else Unread(item.image_id, item.name, _nothing, item.frame)


def _nothing() -> Tensor:
    """In the place of a picture that nobody needs."""
    return image_of_pixels(np.zeros((0, 0, 3), np.uint8))


def _with_picture(step: Step, picture: Picture) -> Step:
    """The step with its picture; one that an earlier run described and that cannot be read now is a problem too."""
    step.image, step.problem = picture.image, picture.problem
    if step.problem:
        step.prediction = None
    return step


def _to_describe(steps: Sequence[Step]) -> int:
    return sum(step.prediction is None and step.image is not None for step in steps)


def _prediction(item: Unread, image: Tensor, regions: list[RegionPrediction]) -> Prediction:
    frame, seconds = (None, None) if item.frame is None else (item.frame.index, item.frame.seconds)
    size = image.shape[-1], image.shape[-2]
    prediction = Prediction(item.image_id, item.name, *size, regions, frame=frame, seconds=seconds)
    check_finite(prediction)
    return prediction


def check_finite(prediction: Prediction) -> None:
    """Errors: UserError when a number of a prediction is not finite."""
    for region in prediction.regions:
        terms = [term for said in region.captions or [] for term in (said.log_prob, *said.token_log_probs)]
        if not all(map(math.isfinite, (*region.box, region.score, region.log_prob, *terms))):
            raise UserError(
                f"the model gives numbers that are not finite for {prediction.file}: its training diverged, "
                "so take an earlier checkpoint or train again with a smaller optimizer.lr"
            )
