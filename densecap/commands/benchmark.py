"""``benchmark``: time every part of the captioner on this machine, beside the least time its arithmetic takes.

``part=metrics`` measures the metrics instead, beside pycocoevalcap, ``part=serve`` the server under load, and
``part=table`` prediction and training in every precision, compiled and not.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from densecap.benchmark import machine, report
from densecap.benchmark.data_parts import DataParts
from densecap.benchmark.metrics import suite
from densecap.benchmark.metrics.sizes import Sizes
from densecap.benchmark.parts import DATA_PARTS, PREDICTION_PARTS, TRAINING_PARTS, Part, Result
from densecap.benchmark.photos import random_batch, write_random_photos
from densecap.benchmark.prediction_parts import PredictionParts
from densecap.benchmark.timing import measure
from densecap.benchmark.training_parts import TrainingParts
from densecap.builder import build
from densecap.commands.benchmark_load import run_load
from densecap.commands.benchmark_model import check_dense, timed_model
from densecap.commands.benchmark_table import run_table
from densecap.commands.trained_model import choose_device
from densecap.data.images import read_image
from densecap.errors import UserError
from densecap.ops.resize import resize_image
from densecap.prediction.sources import resolve_sources

PARTS = (*DATA_PARTS, *PREDICTION_PARTS, *TRAINING_PARTS)
METRIC_PARTS = tuple(suite.PARTS)

#: The server under load, which is measured by itself.
SERVER_PART = "serve"

#: Prediction and training in every precision, compiled and not, as one table.
TABLE_PART = "table"


def run(cfg: DictConfig) -> None:
    """Time ``cfg.part`` ("all" for every one of the captioner), print the table and write ``cfg.output``."""
    if cfg.part == SERVER_PART:
        run_load(cfg)
        return
    if cfg.part == TABLE_PART:
        run_table(cfg)
        return
    names, precisions = chosen_parts(cfg.part), _precisions(cfg.precision)
    if set(names) <= set(METRIC_PARTS):
        _run_metrics(cfg, names)
        return
    device = choose_device(cfg.device)
    if not cfg.ckpt:
        check_dense(str(cfg.model._target_).rpartition(".")[2])
    if cfg.threads:
        torch.set_num_threads(int(cfg.threads))
    machine.allow_tf32(bool(cfg.tf32))
    torch.manual_seed(int(cfg.seed))
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="densecap-benchmark-") as folder:
        paths = _photos(cfg, Path(folder))
        results, rates = _measure(cfg, names, precisions, device, paths, Path(folder))
    card = machine.describe(device)
    report.show(results, rates, card, console)
    if cfg.output:
        plain: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
        report.write(Path(cfg.output).expanduser(), results, rates, card, plain)
        console.print(f"written to {cfg.output}", soft_wrap=True)


def _run_metrics(cfg: DictConfig, names: Sequence[str]) -> None:
    console = Console(highlight=False)
    options: dict[str, Any] = OmegaConf.to_container(cfg.metrics, resolve=True)  # type: ignore[assignment]
    sizes = Sizes.of(options, int(cfg.seed), int(cfg.repeats))
    with Console(stderr=True).status("") as status:
        rows, left_out = suite.measure_metrics(names, sizes, status.update)
    card = machine.describe(torch.device("cpu"))
    console.print(f"{card['processor']}, {card['threads']} threads", soft_wrap=True)
    suite.show(rows, left_out, console)
    if cfg.output:
        settings = {**options, "seed": sizes.seed, "repeats": sizes.repeats}
        suite.write(Path(cfg.output).expanduser(), rows, left_out, machine=card, settings=settings)
        console.print(f"written to {cfg.output}", soft_wrap=True)


def chosen_parts(name: str) -> tuple[str, ...]:
    """The parts that ``part=NAME`` means; errors: UserError with the nearest name."""
    if name == "all":
        return PARTS
    if name == "metrics":
        return METRIC_PARTS
    known = (*PARTS, *METRIC_PARTS, SERVER_PART, TABLE_PART)
    if name not in known:
        near = get_close_matches(name, ("all", "metrics", *known), n=1)
        hint = f", did you mean {near[0]}?" if near else "."
        raise UserError(f"there is no part {name!r} to time{hint} The parts are all, metrics, {', '.join(known)}")
    return (name,)


def _precisions(wanted: Any) -> list[str]:
    names = [wanted] if isinstance(wanted, str) else list(wanted)
    for name in names:
        if name not in machine.PRECISIONS:
            raise UserError(f"precision is a list of {' and '.join(machine.PRECISIONS)}, got {name}")
    return names


def _photos(cfg: DictConfig, folder: Path) -> list[Path]:
    if cfg.source:
        source = cfg.source if isinstance(cfg.source, str) else list(cfg.source)
        return list(resolve_sources(source))
    return write_random_photos(folder, int(cfg.num_photos), int(cfg.height), int(cfg.width))


def _measure(
    cfg: DictConfig, names: Sequence[str], precisions: list[str], device: torch.device, paths: list[Path], folder: Path
) -> tuple[list[Result], dict[str, float]]:
    modelled = [name for name in names if name not in DATA_PARTS]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("matrix products", total=len(names) + len(modelled) * (len(precisions) - 1))
        rates = {name: machine.product_rate(name, device) for name in precisions} if modelled else {}
        results = []
        announce = partial(progress.update, bar)
        for result in _results(cfg, names, rates, device, paths, folder, lambda text: announce(description=text)):
            results.append(result)
            progress.advance(bar)
    return results, rates


def _results(
    cfg: DictConfig,
    names: Sequence[str],
    rates: Mapping[str, float],
    device: torch.device,
    paths: list[Path],
    folder: Path,
    announce: Callable[[str], None],
) -> Iterator[Result]:
    """Each part's result as it comes; ``announce`` is told which is next."""
    workers, size = int(cfg.data.num_workers), int(cfg.data.image_size)
    data = DataParts(paths, int(cfg.num_photos), folder, size, int(cfg.preprocess_size or size), workers)
    for name in (name for name in names if name in DATA_PARTS):
        announce(name)
        yield _time(data.part(name), cfg, torch.device("cpu"))
    if set(names) <= set(DATA_PARTS):
        return
    model = timed_model(cfg).to(device)
    photos = [read_image(path) for path in islice(cycle(paths), int(cfg.data.batch_size))]
    for precision, rate in rates.items():
        model.eval()
        with torch.no_grad(), machine.autocast(precision, device):  # weights are converted once, as in a long run
            prediction = PredictionParts(
                model, photos, build(cfg.detection), build(cfg.generation), bool(cfg.caption_all_proposals)
            )
            for name in (name for name in names if name in PREDICTION_PARTS):
                announce(f"{name}, {precision}")
                yield _time(prediction.part(name), cfg, device, precision, rate)
        if set(names) & set(TRAINING_PARTS):
            images = [resize_image(photo, model.image_size) for photo in photos]
            batch = random_batch(images, int(cfg.regions), int(cfg.words), len(model.vocabulary)).to(device)
            optimizer = build(cfg.optimizer)([item for item in model.parameters() if item.requires_grad])
            training = TrainingParts(model, batch, optimizer, partial(machine.autocast, precision, device))
            for name in (name for name in names if name in TRAINING_PARTS):
                announce(f"{name}, {precision}")
                yield _time(training.part(name), cfg, device, precision, rate)


def _time(part: Part, cfg: DictConfig, device: torch.device, precision: str = "", rate: float | None = None) -> Result:
    timing = measure(part.run, int(cfg.repeats), device)
    floor = part.operations / rate if rate and part.operations else None
    if part.reference is not None:
        floor = measure(part.reference, int(cfg.repeats), device).median
    return Result(part, precision, timing, floor)
