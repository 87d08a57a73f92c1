"""Everything a run writes, put in place in the order of the source while the model is at the next images."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from densecap.prediction.interrupts import unbroken
from densecap.prediction.journal import Entry, Journal
from densecap.prediction.outcome import Outcome
from densecap.prediction.pictures import PictureOutput
from densecap.prediction.sources import Unread
from densecap.prediction.video import VideoOutput
from densecap.prediction.writers import Writer
from densecap.structures import Prediction

if TYPE_CHECKING:
    from torch import Tensor

#: Images whose files are being made at most; the model waits beyond that.
_AHEAD = 16


@dataclass
class Step:
    """One image on its way: to be read, described unless an earlier run did, and written.

    ``prediction`` and ``made`` are what earlier runs left, ``missing`` the picture formats whose files are to be made,
    ``in_video`` whether its frame is needed for a video. A picture that cannot be read has a ``problem`` instead.
    """

    item: Unread
    prediction: Prediction | None = None
    made: dict[str, str] = field(default_factory=dict)
    missing: Sequence[PictureOutput] = ()
    in_video: bool = False
    image: Tensor | None = None
    problem: str = ""
    is_new: bool = True

    @property
    def needs_pixels(self) -> bool:
        return self.prediction is None or bool(self.missing) or self.in_video


class Outputs:
    """Text ``writers``, ``pictures`` and ``video`` of a run, and the ``journal`` of its folder; any may be missing."""

    def __init__(
        self,
        writers: Sequence[Writer] = (),
        pictures: Sequence[PictureOutput] = (),
        video: VideoOutput | None = None,
        journal: Journal | None = None,
    ) -> None:
        self.writers, self.pictures, self.video, self.journal = writers, pictures, video, journal
        #: How many images of the source were handed over.
        self.taken = 0
        self._pool = ThreadPoolExecutor(min(4, os.cpu_count() or 1), thread_name_prefix="draw")
        self._waiting: deque[tuple[Step, list[Future[float]]]] = deque()

    def plan(self, item: Unread) -> Step:
        """What is to be done for an image, seeing what earlier runs did."""
        in_video = self.video is not None and item.frame is not None and not self._has_video(item.frame.source)
        entry = None if self.journal is None else self.journal.find(item)
        if entry is None:
            return Step(item, missing=self.pictures, in_video=in_video)
        if entry.prediction.image_id != item.image_id:  # another image of the source has that name now
            entry.prediction.image_id, entry.made = item.image_id, {}
        missing = [own for own in self.pictures if not _is_made(own, entry)]
        return Step(item, entry.prediction, entry.made, missing, in_video, is_new=False)

    def put(self, step: Step, outcome: Outcome, report: Callable[[Step], None]) -> None:
        """Take a step that is described or has a problem, and put in place those before it that are ready.

        Errors: OSError when a file cannot be written.
        """
        with unbroken():
            self._waiting.append((step, self._start(step)))
            self.taken += 1
        while self._waiting and (len(self._waiting) > _AHEAD or _is_ready(self._waiting[0][1])):
            self._settle(outcome, report)

    def finish(self, outcome: Outcome, report: Callable[[Step], None]) -> None:
        """Put everything under way in place. Errors: OSError."""
        while self._waiting:
            self._settle(outcome, report)

    def close(self, outcome: Outcome) -> None:
        """Make the files final; files of an earlier run stay when there is nothing to say. Errors: OSError."""
        try:
            self._pool.shutdown()
            if self.video is not None:
                self.video.close(outcome.complete)
                self._note_videos()
        finally:
            for writer in self.writers:
                if not outcome.is_worth_writing:
                    writer.discard()
                    continue
                try:
                    writer.close(outcome.to_json())
                except BrokenPipeError:
                    outcome.stopped = "pipe"
            if self.journal is not None:
                self.journal.close()

    def _has_video(self, source: str) -> bool:
        assert self.video is not None
        done = self.journal is not None and self.journal.finished(source) == self.video.digest
        return self.video.path_of(source).is_file() and done

    def _start(self, step: Step) -> list[Future[float]]:
        """Have the files of a step made."""
        if step.problem or step.prediction is None or not step.needs_pixels:
            return []
        assert step.image is not None
        made = [self._pool.submit(_timed, own.save, step.prediction, step.image) for own in step.missing]
        if step.in_video and self.video is not None and step.item.frame is not None:
            made.append(self.video.add(self._pool, step.item.frame, step.prediction, step.image))
        step.image = None
        return made

    def _settle(self, outcome: Outcome, report: Callable[[Step], None]) -> None:
        """Wait for the files of the first step, then note it and write its text."""
        step, futures = self._waiting[0]
        outcome.stages["draw"] += sum(future.result() for future in futures)
        start = time.perf_counter()
        with unbroken():
            self._waiting.popleft()
            self._write(step, outcome)
            outcome.stages["write"] += time.perf_counter() - start
        report(step)

    def _write(self, step: Step, outcome: Outcome) -> None:
        if step.prediction is None:
            outcome.errors.append({"file": step.item.name, "reason": step.problem})
            return
        prediction = Prediction.from_json(step.prediction.to_json())  # as a later run would read it
        if self.journal is not None and (step.is_new or step.missing):
            made = step.made | {own.name: own.digest for own in step.missing}
            self.journal.add(step.item, Entry(prediction, made))
        self._note_videos()
        for writer in self.writers:
            writer.add(prediction)
        outcome.images += step.is_new
        outcome.earlier += not step.is_new
        outcome.regions += len(prediction.regions)

    def _note_videos(self) -> None:
        if self.video is not None:
            for source in self.video.take_ended():
                if self.journal is not None:
                    self.journal.add_finished(source, self.video.digest)


def _is_made(output: PictureOutput, entry: Entry) -> bool:
    return entry.made.get(output.name) == output.digest and output.is_there(entry.prediction)


def _is_ready(futures: Sequence[Future[float]]) -> bool:
    return all(future.done() for future in futures)


def _timed(save: Callable[[Prediction, Tensor], None], prediction: Prediction, image: Tensor) -> float:
    start = time.perf_counter()
    save(prediction, image)
    return time.perf_counter() - start
