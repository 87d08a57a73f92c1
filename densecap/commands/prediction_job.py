"""What one run of predict is about, from its config: source, boxes, formats, devices, and the model that describes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from densecap.commands.fresh_folder import typed
from densecap.commands.prediction_page import with_what_a_page_needs
from densecap.commands.source_options import open_sources
from densecap.data.pixels import use_arrays
from densecap.errors import UserError
from densecap.model_folder.layout import is_graph
from densecap.prediction.pictures import DrawingStyle
from densecap.prediction.sources import Shard, Source
from densecap.prediction.video import import_av
from densecap.prediction.writers import check_formats

if TYPE_CHECKING:  # with a model in ONNX PyTorch is not imported, and need not be there
    from densecap.commands.devices import Devices
    from densecap.commands.given_boxes import GivenBoxes


@dataclass(frozen=True)
class Job:
    """``directory`` is as typed, "-" for standard output; ``console`` hears what is said to people. ``devices`` are
    None where onnxruntime runs the model."""

    cfg: DictConfig
    formats: list[str]
    directory: str
    style: DrawingStyle
    source: Source
    boxes: GivenBoxes | None
    devices: Devices | None
    precision: str
    console: Console


def open_job(cfg: DictConfig, console: Console) -> Job:
    """Everything that was typed, checked. Errors: UserError for what cannot be done."""
    formats = [cfg.output.formats] if isinstance(cfg.output.formats, str) else list(cfg.output.formats)
    directory, shard = str(cfg.output.dir), Shard.read(cfg.get("shard"))
    if shard.folder and directory != "-":
        directory = str(Path(directory) / shard.folder)  # commands of other shards write beside it
    check_formats(formats, directory)
    formats = with_what_a_page_needs(formats)
    style = drawing_style(cfg)
    if "video" in formats:
        import_av()
    precision = str(cfg.get("precision") or "fp32")
    devices, boxes = _of_graphs(cfg) if uses_graphs(cfg) else _of_checkpoints(cfg, precision)
    named = _source(cfg, boxes)
    source = open_sources(cfg, named)
    if devices is not None and devices.count > 1:
        _check_sharing(cfg, named, source, directory)
    source = source if boxes is None else boxes.check(source)
    return Job(cfg, formats, directory, style, source, boxes, devices, precision, console)


def uses_graphs(cfg: DictConfig) -> bool:
    """Whether ``cfg.ckpt`` is a model in ONNX."""
    return bool(cfg.get("ckpt")) and is_graph(Path(str(cfg.ckpt)).expanduser())


def _of_checkpoints(cfg: DictConfig, precision: str) -> tuple[Devices, GivenBoxes | None]:
    """What PyTorch is asked for. Errors: UserError, also where it is not installed."""
    try:
        from densecap.commands.devices import choose_devices
        from densecap.commands.given_boxes import open_boxes
        from densecap.prediction.precision import check_precision
    except ModuleNotFoundError as error:
        raise UserError(
            f"a checkpoint needs the package {error.name}, which is not installed here: install it, or give a model "
            "that export format=onnx wrote"
        ) from error

    check_precision(precision)
    return choose_devices(cfg), open_boxes(_plain(cfg.boxes)) if cfg.get("boxes") else None


def _of_graphs(cfg: DictConfig) -> tuple[None, None]:
    """Errors: UserError for options that a model in ONNX does not have."""
    use_arrays()
    usual = {"device": ("auto", "cpu"), "devices": (None, 1), "precision": ("fp32",), "boxes": (None,)}
    asked = [key for key, values in usual.items() if cfg.get(key, values[0]) not in values]
    asked += ["rerank"] if cfg.get("rerank") and cfg.rerank.get("name", "none") != "none" else []
    if asked:
        raise UserError(
            f"{asked[0]} is not there for a model in ONNX, which onnxruntime runs on the processor and which finds its "
            "boxes itself: leave it, or give the checkpoint"
        )
    return None, None


def drawing_style(cfg: DictConfig) -> DrawingStyle:
    """Errors: UserError for a size or number that is none."""
    values = {key: cfg.output.get(key) for key in ("num_to_draw", "text_size", "line_width")}
    for key, value in values.items():
        least = 0 if key == "num_to_draw" else 1
        if value is not None and (not isinstance(value, int) or value < least):
            raise UserError(f"output.{key} is a whole number of at least {least}, or null, got {value}")
    return DrawingStyle(**values)


def _plain(value: Any) -> Any:
    return value if isinstance(value, str) else OmegaConf.to_container(value)


def _source(cfg: DictConfig, boxes: GivenBoxes | None) -> str | list[str]:
    source = None if OmegaConf.is_missing(cfg, "source") else cfg.get("source")
    if not source and boxes is not None:
        return boxes.files()
    if not source:
        raise UserError("predict needs a picture, a folder or a glob: python predict.py source=PATH")
    return source if isinstance(source, str) else [str(item) for item in source]


def _check_sharing(cfg: DictConfig, named: str | list[str], source: Source, directory: str) -> None:
    """Errors: UserError for what cannot be shared out among several devices."""
    if directory == "-" or source.total is None or "-" in ([named] if isinstance(named, str) else named):
        raise UserError(
            f"devices={cfg.devices} shares out files into a folder; a stream, standard input and output.dir=- go with "
            "one device"
        )
    from densecap.commands.devices import started_by_launcher

    if started_by_launcher() and not typed("output.dir"):
        raise UserError("processes that torchrun or srun started need a folder that was typed: output.dir=FOLDER")


def deciding_settings(card: dict[str, Any]) -> dict[str, Any]:
    """What decides what is predicted: results with other values do not go together in one folder."""
    config = {key: value for key, value in card["config"].items() if key != "boxes"}
    boxes = card["config"].get("boxes")
    return {"checkpoint": card["sha256"], **config, **({"boxes": boxes["digest"]} if boxes else {})}
