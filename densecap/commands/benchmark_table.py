"""``benchmark part=table``: prediction and training in every precision, compiled and not, and rows to paste."""

from __future__ import annotations

import copy
import gc
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from densecap.benchmark import machine
from densecap.benchmark.parts import Part
from densecap.benchmark.photos import random_batch, random_photo
from densecap.benchmark.prediction_parts import PredictionParts
from densecap.benchmark.report import VERSION, write_json, write_text
from densecap.benchmark.settings_table import BY_HAND, Row, Setting, counted_operations, markdown, settings_of
from densecap.benchmark.timing import measure
from densecap.benchmark.training_parts import TrainingParts
from densecap.builder import build
from densecap.commands.benchmark_model import check_dense, timed_model
from densecap.commands.trained_model import choose_device
from densecap.errors import UserError
from densecap.models.compilation import compile_parts
from densecap.models.dense_captioner import DenseCaptioner
from densecap.ops.resize import resize_image, resized_size

KNOWN = {"parts": ("predict", "train"), "precision": ("fp32", "tf32", "bf16"), "compile": (False, True)}


def run_table(cfg: DictConfig) -> None:
    """Measure every setting of ``cfg.table``, print the table, and write ``cfg.table.markdown`` and ``cfg.output``."""
    options: dict[str, Any] = OmegaConf.to_container(cfg.table, resolve=True)  # type: ignore[assignment]
    _check(options)
    if not cfg.ckpt:
        check_dense(str(cfg.model._target_).rpartition(".")[2])
    device, console = choose_device(cfg.device), Console(highlight=False)
    if cfg.threads:
        torch.set_num_threads(int(cfg.threads))
    torch.manual_seed(int(cfg.seed))
    model, settings = timed_model(cfg), settings_of(options, device.type == "cuda")
    heading = _heading(model, cfg, options, device)
    console.print(heading, soft_wrap=True)
    rates = {name: _rate(name, device) for name in dict.fromkeys(setting.precision for setting in settings)}
    rows: list[Row] = []
    with Console(stderr=True).status("") as status:
        for number, setting in enumerate(settings):
            status.update(f"{number + 1} of {len(settings)}: {setting.words}")
            rows.append(measured(model, setting, rates[setting.precision], cfg, options, device))
            _write(cfg, options, rows, heading, device)
    _show(rows, console)
    for name in (options["markdown"], cfg.output):
        if name:
            console.print(f"written to {name}", soft_wrap=True)


def measured(
    model: DenseCaptioner,
    setting: Setting,
    rate: float,
    cfg: DictConfig,
    options: Mapping[str, Any],
    device: torch.device,
) -> Row:
    """Time a setting on a copy of the model, alone in the device's memory; its arithmetic is counted uncompiled."""
    machine.allow_tf32(setting.precision == "tf32")
    training = setting.part == "train"
    try:
        own = copy.deepcopy(model).to(device)
        with nullcontext() if training else torch.no_grad(), _outside(setting, device):
            part = (_training if training else _prediction)(own, setting, cfg, options, device)
            if setting.compiled:
                compile_parts(own)
            timing = measure(part.run, int(cfg.repeats), device, int(options["warmups"]))
        return Row(setting, rate, part.operations, timing, part.note)
    except RuntimeError as error:  # out of memory, or no compiler: the other rows do not suffer
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        out = isinstance(error, torch.OutOfMemoryError)
        return Row(setting, rate, problem="out of memory" if out else f"not measured: {first[:80]}")
    finally:
        part = own = None  # type: ignore[assignment]
        if setting.compiled:
            torch._dynamo.reset()
        gc.collect()
        if device.type == "cuda":
            torch.cuda.empty_cache()


def _outside(setting: Setting, device: torch.device) -> Any:
    """Prediction converts weights once, as in a long run; training does so in every step, by itself."""
    return machine.autocast(setting.precision, device) if setting.part == "predict" else nullcontext()


def _prediction(
    model: DenseCaptioner, setting: Setting, cfg: DictConfig, options: Mapping[str, Any], device: torch.device
) -> Part:
    photos = _photos(setting, options)
    detection = replace(build(cfg.detection), max_proposals=int(options["regions"]))
    parts = PredictionParts(model.eval(), photos, detection, build(cfg.generation), caption_all_proposals=True)
    return parts.predict()


def _training(
    model: DenseCaptioner, setting: Setting, cfg: DictConfig, options: Mapping[str, Any], device: torch.device
) -> Part:
    images = [resize_image(photo, model.image_size) for photo in _photos(setting, options)]
    batch = random_batch(images, int(cfg.regions), int(cfg.words), len(model.vocabulary)).to(device)
    optimizer = build(cfg.optimizer)([item for item in model.parameters() if item.requires_grad])
    return TrainingParts(model, batch, optimizer, partial(machine.autocast, setting.precision, device)).train()


def _photos(setting: Setting, options: Mapping[str, Any]) -> list[torch.Tensor]:
    sizes = int(options["height"]), int(options["width"])
    return [random_photo(*sizes, seed=number) for number in range(setting.batch_size)]


def _rate(precision: str, device: torch.device) -> float:
    machine.allow_tf32(precision == "tf32")
    return machine.product_rate("bf16" if precision == "bf16" else "fp32", device)


def _check(options: Mapping[str, Any]) -> None:
    for key, known in KNOWN.items():
        for value in options[key]:
            if value not in known:
                raise UserError(f"table.{key} is a list of {', '.join(map(str, known)).lower()}, got {value}")
    for key in ("height", "width", "regions"):
        if options[key] < 1:
            raise UserError(f"table.{key} is a whole number above 0, got {options[key]}")


def _heading(model: DenseCaptioner, cfg: DictConfig, options: Mapping[str, Any], device: torch.device) -> str:
    """The machine, what is worked on, and the arithmetic that was counted beside that worked out by hand."""
    card = machine.describe(device)
    size = resized_size(int(options["height"]), int(options["width"]), model.image_size)
    counted = counted_operations(model, size, int(options["regions"]), int(cfg.generation.max_length) + 1)
    names = f"{card.get('gpu', card['processor'])}, {card['threads']} threads, torch {card['torch']}"
    return (
        f"{names}; pictures of {size[1]} x {size[0]} pixels, {options['regions']} regions described. Counted: "
        f"{counted['predict'] / 1e9:,.0f} GFLOP an image to predict, {counted['train'] / 1e9:,.0f} to train (VGG-16 at "
        f"720 x 540 by hand: {BY_HAND['predict'] / 1e9:,.0f}, and about {BY_HAND['train'] / 1e9:,.0f})."
    )


def _write(cfg: DictConfig, options: Mapping[str, Any], rows: list[Row], heading: str, device: torch.device) -> None:
    if options["markdown"]:
        write_text(Path(options["markdown"]).expanduser(), f"{heading}\n\n{markdown(rows)}")
    if cfg.output:
        content = {"version": VERSION, "machine": machine.describe(device), "heading": heading, "settings": options}
        write_json(Path(cfg.output).expanduser(), {**content, "rows": [row.to_json() for row in rows]})


def _show(rows: Sequence[Row], console: Console) -> None:
    console.print(f"\n{markdown(rows)}", soft_wrap=True, markup=False)
    notes = (f"{row.setting.part}, batch {row.setting.batch_size}: {row.note}" for row in rows if row.note)
    for text in dict.fromkeys(notes):
        console.print(text, soft_wrap=True)
