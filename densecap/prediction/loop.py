"""Describing many files: read ahead, caption in batches, write as results come, keep what is done when interrupted."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from densecap.errors import UserError
from densecap.prediction.pictures import PictureWriter
from densecap.prediction.reading import Picture, read_pictures
from densecap.prediction.sources import image_ids
from densecap.prediction.writers import Writer
from densecap.structures import Prediction, RegionPrediction

Caption = Callable[[list[Tensor]], list[list[RegionPrediction]]]


@dataclass
class Outcome:
    """What a run came to. ``stopped`` is "interrupt" after Ctrl-C, "pipe" when the reader of our output went away."""

    images: int = 0
    regions: int = 0
    seconds: float = 0.0
    errors: list[dict[str, str]] = field(default_factory=list)
    stages: dict[str, float] = field(default_factory=lambda: dict.fromkeys(("decode", "caption", "draw", "write"), 0.0))
    complete: bool = False
    stopped: str = ""

    def to_json(self) -> dict[str, Any]:
        """The fields of predictions.json that are known at the end."""
        timing = {
            "images": self.images,
            "seconds": round(self.seconds, 3),
            "images_per_second": round(self.images / self.seconds, 3) if self.seconds else 0.0,
            "stages": {name: round(seconds, 3) for name, seconds in self.stages.items()},
        }
        return {"complete": self.complete, "errors": self.errors, "timing": timing}


def predict_files(
    caption: Caption,
    paths: Sequence[Path],
    writers: Sequence[Writer],
    pictures: PictureWriter | None,
    batch_size: int,
    outcome: Outcome,
    report: Callable[[Picture], None] = lambda picture: None,
) -> None:
    """Describe the files with ``caption`` (a list of (3, H, W) uint8 images to their regions), into ``outcome``.

    ``report`` is called for every file when it is done with. The writers are closed in any case; after Ctrl-C they
    hold what was done by then. Errors: UserError when the model's figures are not finite, OSError from writing.
    """
    start = time.perf_counter()
    try:
        for batch in read_pictures(paths, image_ids(paths), batch_size):
            _predict_batch(caption, batch, writers, pictures, outcome)
            for picture in batch:
                report(picture)
        outcome.complete = True
    except KeyboardInterrupt:
        outcome.stopped = "interrupt"
    except BrokenPipeError:
        outcome.stopped = "pipe"
    finally:
        with unbroken(raise_after=False):
            _close(writers, pictures, outcome, start)


def _close(writers: Sequence[Writer], pictures: PictureWriter | None, outcome: Outcome, start: float) -> None:
    """Make the files final; when an error came before the first result, files of an earlier run are left alone."""
    try:
        if pictures is not None:
            pictures.close()
            outcome.stages["draw"] = pictures.seconds
    finally:
        outcome.seconds = time.perf_counter() - start
        for writer in writers:
            if not (outcome.images or outcome.complete or outcome.stopped):
                writer.discard()
                continue
            try:
                writer.close(outcome.to_json())
            except BrokenPipeError:
                outcome.stopped = "pipe"


def _predict_batch(
    caption: Caption,
    batch: Sequence[Picture],
    writers: Sequence[Writer],
    pictures: PictureWriter | None,
    outcome: Outcome,
) -> None:
    outcome.errors += [{"file": str(item.path), "reason": item.problem} for item in batch if item.image is None]
    images = [item.image for item in batch if item.image is not None]
    names = [item for item in batch if item.image is not None]
    if not images:
        return
    start = time.perf_counter()
    described = caption(images)
    middle = time.perf_counter()
    for item, image, regions in zip(names, images, described, strict=True):
        prediction = Prediction(item.image_id, str(item.path), image.shape[-1], image.shape[-2], regions)
        check_finite(prediction)
        with unbroken():
            for writer in writers:
                writer.add(prediction)
            if pictures is not None:
                pictures.add(prediction, image)
            outcome.images += 1
            outcome.regions += len(regions)
    outcome.stages["decode"] += sum(item.seconds for item in batch)
    outcome.stages["caption"] += middle - start
    outcome.stages["write"] += time.perf_counter() - middle


def check_finite(prediction: Prediction) -> None:
    """Errors: UserError when a number of a prediction is not finite."""
    for region in prediction.regions:
        terms = [term for said in region.captions or [] for term in (said.log_prob, *said.token_log_probs)]
        if not all(map(math.isfinite, (*region.box, region.score, region.log_prob, *terms))):
            raise UserError(
                f"the model gives numbers that are not finite for {prediction.file}: its training diverged, "
                "so take an earlier checkpoint or train again with a smaller optimizer.lr"
            )


@contextmanager
def unbroken(raise_after: bool = True) -> Iterator[None]:
    """Let Ctrl-C wait until the block is done, so that no line is written by half; then it counts, or is forgotten."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed: list[int] = []
    previous = signal.signal(signal.SIGINT, lambda number, frame: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if pressed and raise_after:
        raise KeyboardInterrupt
