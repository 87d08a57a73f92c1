"""What a model says about a split, by one process or, with ``devices``, by several that share it out batch by batch."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from densecap.checkpoint import LoadedModel
from densecap.commands.devices import Devices
from densecap.commands.progress import model_progress
from densecap.commands.trained_model import enough_memory
from densecap.distributed import global_rank
from densecap.errors import UserError
from densecap.evaluation.joining import counted
from densecap.evaluation.model_pass import FeaturesOf, ModelFigures, ModelPass, Wanted, run_model
from densecap.evaluation.truth import Truth
from densecap.prediction.writers import Writer

if TYPE_CHECKING:  # Lightning takes seconds to import
    from densecap.tasks.evaluation import PassReport

Advance = Callable[[int], None]


@dataclass
class ReadyModel:
    """A model on its device, and what it is to do there; the devices are those that share the images out."""

    loaded: LoadedModel
    wanted: Wanted
    batch_size: int
    devices: Devices

    @property
    def is_helper(self) -> bool:
        """Whether this process takes a share only, and another one writes."""
        return self.devices.count > 1 and global_rank() > 0


@dataclass
class Described:
    """``figures`` are None where Ctrl-C came before all ``images`` were described."""

    figures: ModelFigures | None
    images: int


def describe(
    ready: ReadyModel,
    truth: Truth,
    writers: dict[str, Writer],
    features: FeaturesOf | None,
    folder: Path,
    console: Console,
) -> tuple[ModelFigures, float] | None:
    """Fill the writers and close them: the figures that need the model, and images a second; None after Ctrl-C."""
    start = time.perf_counter()
    work = _together if ready.devices.count > 1 else _alone
    try:
        with model_progress(console) as progress:
            bar = progress.add_task("describing", total=len(truth.images))
            described = work(ready, truth, writers, features, partial(progress.advance, bar))
    except BaseException:
        _discard(writers)
        raise
    seconds, done, figures = time.perf_counter() - start, described.images, described.figures
    rate = round(done / seconds, 3)
    timing = {"images": done, "seconds": round(seconds, 3), "images_per_second": rate}
    for writer in writers.values():
        writer.close({"complete": figures is not None, "errors": [], "timing": timing})
    if figures is None:
        console.print(f"interrupted after {done} of {len(truth.images)} images; what was done is kept in {folder}")
        return None
    console.print(f"described {counted(done, 'image')} in {seconds:.1f} s, {done / seconds:.2f} images/s")
    return figures, rate


def _alone(
    ready: ReadyModel, truth: Truth, writers: dict[str, Writer], features: FeaturesOf | None, advance: Advance
) -> Described:
    done, model = 0, ready.loaded.model

    def report(count: int) -> None:
        nonlocal done
        done += count
        advance(count)

    try:
        with enough_memory(ready.batch_size):
            figures = run_model(model, truth, ready.wanted, dict(writers), ready.batch_size, report, features)
    except KeyboardInterrupt:
        return Described(None, done)
    return Described(figures, done)


def _together(
    ready: ReadyModel, truth: Truth, writers: dict[str, Writer], features: FeaturesOf | None, advance: Advance
) -> Described:
    """Errors: UserError when one of the processes had to give up."""
    from densecap.tasks.evaluation import put_together

    run, reports = _share(ready, truth, list(writers), features, advance, lambda: _discard(writers))
    problem = next((own.problem for own in reports if own.problem), "")
    if problem:
        raise UserError(problem)
    figures, images = put_together(reports, run, writers), sum(own.images for own in reports)
    ready.loaded.model.to(ready.devices.first)
    return Described(None if any(own.stopped for own in reports) else figures, images)


def help_describing(ready: ReadyModel, truth: Truth, protocols: list[str], features: FeaturesOf | None) -> None:
    """The whole part of a helper."""
    _share(ready, truth, protocols, features, lambda count: None, lambda: None)


def _share(
    ready: ReadyModel,
    truth: Truth,
    protocols: list[str],
    features: FeaturesOf | None,
    advance: Advance,
    give_up: Callable[[], None],
) -> tuple[ModelPass, list[PassReport]]:
    from densecap.tasks.evaluation import EvaluationTask, Kept
    from densecap.tasks.work_processes import work_on_devices

    kept: dict[str, Writer] = {name: Kept() for name in protocols}
    run = ModelPass(ready.loaded.model, truth, ready.wanted, kept, ready.batch_size, features)

    def report(count: int) -> None:
        advance(count * ready.devices.count)  # the others are about as far

    task = EvaluationTask(run, report, partial(enough_memory, ready.batch_size))
    task.give_up = give_up
    return run, work_on_devices(task, ready.devices.accelerator, ready.devices.devices)


def _discard(writers: dict[str, Writer]) -> None:
    for writer in writers.values():
        writer.discard()
