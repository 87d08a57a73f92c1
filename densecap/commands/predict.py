"""``predict``: describe the regions of photos; files as in ``densecap.prediction.writers``, and pictures.

Exit status: 0 when every file was described, 1 when some could not be read, 2 when none could, 130 after Ctrl-C, 141
when whoever read the standard output went away.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

import torch
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from densecap.commands import reranking
from densecap.commands.fresh_folder import make_fresh_folder, typed
from densecap.commands.progress import model_progress
from densecap.commands.run_record import write_run_record
from densecap.commands.trained_model import (
    TrainedModel,
    choose_device,
    enough_memory,
    load_model,
    model_card,
    prepare_model,
)
from densecap.errors import UserError
from densecap.prediction.loop import Caption, Outcome, predict_files
from densecap.prediction.pictures import PictureWriter
from densecap.prediction.reading import Picture
from densecap.prediction.sources import resolve_sources
from densecap.prediction.writers import check_formats, file_name, only_stdout, open_writers
from densecap.structures import RegionPrediction


def run(cfg: DictConfig) -> int:
    """Describe ``cfg.source``; see the config for the options and the module for the exit status."""
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    formats = [cfg.output.formats] if isinstance(cfg.output.formats, str) else list(cfg.output.formats)
    directory = str(cfg.output.dir)
    check_formats(formats, directory)
    device = choose_device(cfg.get("device") or "auto")
    paths = resolve_sources(_source(cfg))
    if directory == "-":
        with only_stdout() as stream:
            return _predict(cfg, paths, formats, stream, device, console)
    folder = Path(directory).expanduser()
    try:
        if not typed("output.dir"):
            folder = make_fresh_folder(folder)
            write_run_record(folder, OmegaConf.to_container(cfg, resolve=True))  # type: ignore[arg-type]
        return _predict(cfg, paths, formats, folder, device, console)
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror or error}") from error


def _source(cfg: DictConfig) -> str | list[str]:
    source = None if OmegaConf.is_missing(cfg, "source") else cfg.get("source")
    if not source:
        raise UserError("predict needs a picture, a folder or a glob: python predict.py source=PATH")
    return source if isinstance(source, str) else [str(item) for item in source]


def _predict(
    cfg: DictConfig,
    paths: Sequence[Path],
    formats: Sequence[str],
    target: Path | TextIO,
    device: torch.device,
    console: Console,
) -> int:
    start = time.perf_counter()
    trained = prepare_model(cfg, device, lambda: load_model(cfg, console))
    if trained.loaded.data_name == "shapes":
        console.print("this model was trained on generated scenes: it knows nothing but coloured shapes")
    caption, card = _captioner(cfg, trained, console)
    writers = open_writers(formats, target, card)
    pictures = None
    if "images" in formats and isinstance(target, Path):
        pictures = PictureWriter(target / "images", cfg.output.get("num_to_draw"))
    outcome = Outcome()
    outcome.stages["load"] = time.perf_counter() - start

    with model_progress(console) as progress:
        bar = progress.add_task("describing", total=len(paths))

        def report(picture: Picture) -> None:
            progress.advance(bar)
            if picture.problem:
                console.print(f"skipped: {picture.path} {picture.problem}")

        predict_files(caption, paths, writers, pictures, trained.batch_size, outcome, report)
    _say(console, outcome, len(paths), target, formats)
    return exit_status(outcome)


def _captioner(cfg: DictConfig, trained: TrainedModel, console: Console) -> tuple[Caption, dict[str, Any]]:
    """What describes a list of images, with ``rerank`` if it is asked for, and its card for the files."""
    loaded, generation = trained.loaded, reranking.with_hypotheses(cfg, trained.generation)
    rerank = reranking.of_pictures(cfg, loaded, console)
    card = model_card(loaded, trained.detection, generation)
    if rerank is not None:
        card["config"]["rerank"] = reranking.settings_of(cfg)

    def caption(images: list[torch.Tensor]) -> list[list[RegionPrediction]]:
        with enough_memory(len(images)):
            found = loaded.model.caption_images(images, trained.detection, generation)
            return found if rerank is None else rerank(images, found)

    return caption, card


def exit_status(outcome: Outcome) -> int:
    if outcome.stopped == "interrupt":
        return 130
    if outcome.stopped == "pipe":
        return 141
    if outcome.errors:
        return 1 if outcome.images else 2
    return 0


def _say(console: Console, outcome: Outcome, wanted: int, target: Path | TextIO, formats: Sequence[str]) -> None:
    if outcome.stopped == "pipe":
        return
    if outcome.stopped == "interrupt":
        console.print(f"interrupted after {outcome.images} of {wanted} images; what was done is kept")
    rate = outcome.images / outcome.seconds if outcome.seconds else 0.0
    what = f"{outcome.images} images with {outcome.regions} regions"
    console.print(f"described {what} in {outcome.seconds:.1f} s, {rate:.2f} images/s")
    if outcome.errors:
        console.print(f"{len(outcome.errors)} of {wanted} files could not be read")
    if isinstance(target, Path):
        files = ["images/" if name == "images" else file_name(name) for name in dict.fromkeys(formats)]
        console.print(f"written to {target}: {', '.join(files)}")
