"""``predict devices=...``: the images are shared out among processes, each with a device."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from densecap.commands.prediction_files import picture_outputs
from densecap.commands.prediction_job import Job, deciding_settings
from densecap.commands.progress import model_progress
from densecap.commands.trained_model import TrainedModel
from densecap.distributed import global_rank
from densecap.errors import UserError
from densecap.prediction.journal import Journal
from densecap.prediction.loop import Caption, Describing, Outcome, Outputs, Step


def share_out(
    job: Job, trained: TrainedModel, caption: Caption, card: dict[str, Any], folder: Path, outcome: Outcome
) -> None:
    """Describe on all devices what is not done yet in ``folder``: journals and pictures, each process its own.

    Errors: UserError when one of them had to give up; what is done is kept.
    """
    from densecap.tasks.prediction import PredictionTask  # Lightning takes seconds to import
    from densecap.tasks.work_processes import work_on_devices

    settings, model, devices = deciding_settings(card), trained.loaded.model, job.devices
    assert devices is not None
    if not global_rank():
        Journal(folder, settings).close()  # what is wrong with it is said before others are started
    start = time.perf_counter()
    with model_progress(job.console) as progress:
        bar = progress.add_task("describing", total=job.source.total)

        def report(step: Step) -> None:
            progress.advance(bar, devices.count)  # the others are about as far

        def begin(rank: int, own: Outcome) -> Describing:
            pictures = picture_outputs(job, folder, model.image_size)
            outputs = Outputs(pictures=pictures, journal=Journal(folder, settings, rank))
            return Describing(caption, outputs, trained.batch_size, own, report)

        task = PredictionTask(model, job.source, begin)
        reports = work_on_devices(task, devices.accelerator, devices.devices)
    outcome.seconds = time.perf_counter() - start
    outcome.shared = sum(own.outcome.images for own in reports)
    for own in reports:
        for name, seconds in own.outcome.stages.items():
            outcome.stages[name] += seconds
    outcome.stopped = "interrupt" if any(own.stopped for own in reports) else ""
    problem = next((own.problem for own in reports if own.problem), "")
    if problem:
        raise UserError(f"{problem} (what was done is kept in {folder}, and the same command goes on with it)")
