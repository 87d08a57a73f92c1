"""``predict``: describe the regions of photos; files as in ``densecap.prediction.writers``, and pictures.

Exit status: 0 when every file was described, 1 when some could not be read, 2 when none could, 130 after Ctrl-C, 141
when whoever read the standard output went away.
"""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO, TypeVar

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from densecap import checkpoint
from densecap.checkpoint import LoadedModel
from densecap.commands import reranking
from densecap.commands.fresh_folder import make_fresh_folder, typed
from densecap.commands.progress import model_progress
from densecap.commands.run_record import write_run_record
from densecap.errors import UserError
from densecap.prediction.loop import Outcome, predict_files
from densecap.prediction.pictures import PictureWriter
from densecap.prediction.reading import Picture
from densecap.prediction.sources import resolve_sources
from densecap.prediction.writers import check_formats, file_name, only_stdout, open_writers

Settings = TypeVar("Settings")


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


def positive(cfg: DictConfig, key: str) -> int:
    """A whole number above 0; errors: UserError."""
    if not isinstance(cfg[key], int) or cfg[key] < 1:
        raise UserError(f"{key} is a whole number above 0, got {cfg[key]}")
    return cfg[key]


def choose_device(name: str) -> torch.device:
    """The device of that name; "auto" is the first GPU, else the CPU. Errors: UserError when it cannot be used."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise UserError(f"device={name} cannot be used here ({reason}): give auto, cpu, cuda or cuda:NUMBER") from error
    return device


def _predict(
    cfg: DictConfig,
    paths: Sequence[Path],
    formats: Sequence[str],
    target: Path | TextIO,
    device: torch.device,
    console: Console,
) -> int:
    start = time.perf_counter()
    loaded = load_model(cfg, console)
    if loaded.data_name == "shapes":
        console.print("this model was trained on generated scenes: it knows nothing but coloured shapes")
    model = loaded.model.to(device)
    if cfg.get("image_size"):
        model.image_size = positive(cfg, "image_size")
    batch_size = positive(cfg, "batch_size")
    detection = typed_settings(cfg, "detection", model.detection)
    generation = reranking.with_hypotheses(cfg, typed_settings(cfg, "generation", model.generation))
    rerank = reranking.of_pictures(cfg, loaded, console)
    card = model_card(loaded, detection, generation)
    if rerank is not None:
        card["config"]["rerank"] = reranking.settings_of(cfg)
    writers = open_writers(formats, target, card)
    pictures = None
    if "images" in formats and isinstance(target, Path):
        pictures = PictureWriter(target / "images", cfg.output.get("num_to_draw"))
    outcome = Outcome()
    outcome.stages["load"] = time.perf_counter() - start

    def caption(images: list[torch.Tensor]) -> list[Any]:
        try:
            found = model.caption_images(images, detection, generation)
            return found if rerank is None else rerank(images, found)
        except torch.OutOfMemoryError as error:
            raise UserError(
                f"{device} has too little memory for {len(images)} images at once: give batch_size=1, fewer "
                "detection.max_proposals, or device=cpu"
            ) from error

    with model_progress(console) as progress:
        bar = progress.add_task("describing", total=len(paths))

        def report(picture: Picture) -> None:
            progress.advance(bar)
            if picture.problem:
                console.print(f"skipped: {picture.path} {picture.problem}")

        predict_files(caption, paths, writers, pictures, batch_size, outcome, report)
    _say(console, outcome, len(paths), target, formats)
    return exit_status(outcome)


def load_model(cfg: DictConfig, console: Console) -> LoadedModel:
    """The model of ``find_checkpoint``; ``model.backbone.weights`` says where its backbone's weights lie now."""
    weights = OmegaConf.select(cfg, "model.backbone.weights")
    path = find_checkpoint(cfg, console)
    return checkpoint.load(path, str(weights)) if weights else checkpoint.load(path)


def find_checkpoint(cfg: DictConfig, console: Console) -> Path:
    """``cfg.ckpt``: a file, or a folder for the newest in it; without it the newest under ``cfg.paths.outputs``.

    Errors: UserError when there is none.
    """
    given = Path(str(cfg.ckpt)).expanduser() if cfg.get("ckpt") else None
    if given is not None and not given.is_dir():
        return given
    folder = given or Path(str(cfg.paths.outputs))
    newest = checkpoint.newest(folder) or checkpoint.newest(folder, name="last")
    if newest is None:
        raise UserError(
            f"no checkpoint was found under {folder}: train one with python train.py experiment=quickstart, "
            "or give ckpt=PATH"
        )
    console.print(f"using the newest checkpoint, {newest}")
    return newest


def typed_settings(cfg: DictConfig, group: str, trained: Settings) -> Settings:
    """What the checkpoint was trained with, replaced by what was typed: ``GROUP.KEY=...`` or a whole ``GROUP=NAME``.

    Called from a script, where nothing was typed, every value of the config that is not null counts.
    """
    node = cfg.get(group) or {}
    known = {item.name for item in dataclasses.fields(trained)}  # type: ignore[arg-type]
    in_script = not HydraConfig.initialized()
    values = {
        key: value
        for key, value in node.items()
        if key in known and typed(f"{group}.{key}") and not (in_script and value is None)
    }
    return dataclasses.replace(trained, **values)  # type: ignore[type-var]


def model_card(loaded: LoadedModel, detection: Any, generation: Any) -> dict[str, Any]:
    """The ``model`` object of predictions.json."""
    model = loaded.model
    with loaded.path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    parts = [type(getattr(model, name)).__name__ for name in ("backbone", "decoder") if hasattr(model, name)]
    config = {
        "image_size": model.image_size,
        "vocabulary_size": len(model.vocabulary),
        "detection": dataclasses.asdict(detection),
        "generation": dataclasses.asdict(generation),
    }
    return {
        "checkpoint": str(loaded.path),
        "sha256": digest,
        "name": loaded.config.get("choices", {}).get("model") or f"{type(model).__name__} ({', '.join(parts)})",
        "trained_on": loaded.data_name,
        "config": config,
    }


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
