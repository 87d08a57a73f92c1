"""``predict``: describe the regions of photos, videos and streams; files as in ``densecap.prediction.writers``.

A folder that was typed as ``output.dir`` is gone on with: what is done in it is not done again. With ``devices`` the
images are shared out among processes first, and what these did is put together afterwards. ``source=webcam`` is the
live page of ``densecap.commands.serve`` instead.

Exit status: 0 when every file was described, 1 when some could not be read, 2 when none could, 130 after Ctrl-C, 141
when whoever read the standard output went away.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from densecap.commands.fresh_folder import make_fresh_folder, typed
from densecap.commands.prediction_files import alone_in, open_outputs
from densecap.commands.prediction_job import Job, deciding_settings, open_job
from densecap.commands.prediction_page import write_page
from densecap.commands.progress import model_progress
from densecap.commands.run_record import write_run_record
from densecap.distributed import global_rank
from densecap.errors import UserError
from densecap.prediction.journal import Journal, remove_journals
from densecap.prediction.loop import Caption, Outcome, Step, predict_files, write_earlier
from densecap.prediction.sources import is_webcam
from densecap.prediction.writers import only_stdout, place_of

#: Where the first process of a run tells the others its folder.
FOLDER_VARIABLE = "DENSECAP_OUTPUT_DIR"


def run(cfg: DictConfig) -> int:
    """Describe ``cfg.source``; see the config for the options and the module for the exit status."""
    if _is_webcam(cfg):
        from densecap.commands.serve import serve_webcam  # FastAPI, which nothing else here needs

        return serve_webcam(cfg)
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True, quiet=global_rank() > 0)
    job = open_job(cfg, console)
    if job.directory == "-":
        with only_stdout() as stream:
            return _predict(job, stream)
    try:
        with ExitStack() as stack:
            return _predict(job, _open_folder(cfg, Path(job.directory).expanduser(), stack))
    except OSError as error:
        raise UserError(f"cannot write to {job.directory}: {error.strerror or error}") from error


def _is_webcam(cfg: DictConfig) -> bool:
    source = None if OmegaConf.is_missing(cfg, "source") else cfg.get("source")
    return is_webcam(source if source is None or isinstance(source, str) else list(source))


def _open_folder(cfg: DictConfig, folder: Path, stack: ExitStack) -> Path:
    """The folder that was typed, or a fresh one, for this run alone as long as it lasts."""
    if global_rank():
        return Path(os.environ.get(FOLDER_VARIABLE, folder))
    if not typed("output.dir"):
        folder = make_fresh_folder(folder)
        write_run_record(folder, OmegaConf.to_container(cfg, resolve=True))  # type: ignore[arg-type]
    stack.enter_context(alone_in(folder))
    os.environ[FOLDER_VARIABLE] = str(folder.resolve())
    stack.callback(os.environ.pop, FOLDER_VARIABLE, None)
    return folder


def _predict(job: Job, target: Path | TextIO) -> int:
    outcome = Outcome()
    done = _with_graphs(job, target, outcome) if job.devices is None else _with_checkpoint(job, target, outcome)
    if not done:
        return 0
    if "html" in job.formats and isinstance(target, Path) and outcome.is_worth_writing:
        write_page(job.formats, target)
    _say(job, outcome, target)
    return exit_status(outcome)


def _with_graphs(job: Job, target: Path | TextIO, outcome: Outcome) -> bool:
    """Describe with a model in ONNX; returns whether this process writes the results."""
    from densecap.commands.prediction_onnx import onnx_captioner

    start = time.perf_counter()
    caption, card, batch_size = onnx_captioner(job)
    outcome.stages["load"] = time.perf_counter() - start
    _describe(job, caption, card, target, _journal(job, target, card), batch_size, outcome)
    return True


def _with_checkpoint(job: Job, target: Path | TextIO, outcome: Outcome) -> bool:
    """The same with a checkpoint; PyTorch, which takes seconds to import, is imported here only."""
    from densecap.commands.prediction_captioner import captioner
    from densecap.commands.prediction_sharing import share_out
    from densecap.commands.trained_model import choose_device, load_model, prepare_model

    assert job.devices is not None
    start = time.perf_counter()
    several = job.devices.count > 1
    device = choose_device("cpu") if several else job.devices.first  # Lightning moves it
    trained = prepare_model(job.cfg, device, lambda: load_model(job.cfg, job.console))
    if trained.loaded.data_name == "shapes":
        job.console.print("this model was trained on generated scenes: it knows nothing but coloured shapes")
    caption, card = captioner(job, trained)
    outcome.stages["load"] = time.perf_counter() - start
    if isinstance(target, Path) and several:
        _forget(job, target)
        share_out(job, trained, caption, card, target, outcome)
        if global_rank():
            return False
        trained.loaded.model.to(job.devices.first)
    journal = _journal(job, target, card, forget=not several)
    _describe(job, caption, card, target, journal, trained.batch_size, outcome)
    return True


def _journal(job: Job, target: Path | TextIO, card: dict[str, Any], forget: bool = True) -> Journal | None:
    """What was done in the folder, unless that is to be forgotten."""
    if not isinstance(target, Path):
        return None
    if forget:
        _forget(job, target)
    return Journal(target, deciding_settings(card))


def _forget(job: Job, folder: Path) -> None:
    if not (job.cfg.output.get("resume", True) or global_rank()):
        remove_journals(folder)


def _describe(
    job: Job,
    caption: Caption,
    card: dict[str, Any],
    target: Path | TextIO,
    journal: Journal | None,
    batch_size: int,
    outcome: Outcome,
) -> None:
    """Describe what is left, and write everything."""
    outputs = open_outputs(job, target, card, journal)
    with model_progress(job.console) as progress:
        bar = progress.add_task("describing", total=job.source.total)

        def report(step: Step) -> None:
            progress.advance(bar)
            if step.problem:
                job.console.print(f"skipped: {step.item.name} {step.problem}")

        if outcome.stopped:
            write_earlier(job.source, outputs, outcome, report)
        else:
            predict_files(caption, job.source, outputs, batch_size, outcome, report)
    if outputs.video is not None and outputs.video.is_empty:
        job.console.print("no video was written, as the source holds pictures only: draw those with images")


def exit_status(outcome: Outcome) -> int:
    if outcome.stopped == "interrupt":
        return 130
    if outcome.stopped == "pipe":
        return 141
    if outcome.errors:
        return 1 if outcome.images or outcome.earlier else 2
    return 0


def _say(job: Job, outcome: Outcome, target: Path | TextIO) -> None:
    if outcome.stopped == "pipe":
        return
    say, wanted = job.console.print, "" if job.source.total is None else f" of {job.source.total}"
    if outcome.stopped == "interrupt":
        on = "" if typed("output.dir") else f", and output.dir={target} goes on with it"
        say(f"interrupted after {outcome.images + outcome.earlier}{wanted} images; what was done is kept{on}")
    regions = "" if outcome.taken_over else f" with {outcome.regions} regions"
    rate = outcome.described / outcome.seconds if outcome.seconds else 0.0
    if outcome.described or not outcome.taken_over:
        say(f"described {outcome.described} images{regions} in {outcome.seconds:.1f} s, {rate:.2f} images/s")
    if outcome.taken_over:
        say(f"{outcome.taken_over} images were done before; all together have {outcome.regions} regions")
    if outcome.errors:
        say(f"{len(outcome.errors)}{wanted} files could not be read")
    if job.boxes is not None and job.boxes.without:
        say(f"{job.boxes.name} has no boxes for {len(job.boxes.without)} images, which were given none")
    if isinstance(target, Path):
        say(f"written to {target}: {', '.join(place_of(name) for name in job.formats)}")
