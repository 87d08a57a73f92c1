"""What one run of predict is about, from its config: source, boxes, formats, devices, and the model that describes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from torch import Tensor

from densecap.commands import reranking
from densecap.commands.devices import Devices, choose_devices, started_by_launcher
from densecap.commands.fresh_folder import typed
from densecap.commands.given_boxes import GivenBoxes, open_boxes
from densecap.commands.prediction_page import with_what_a_page_needs
from densecap.commands.source_options import open_sources
from densecap.commands.trained_model import TrainedModel, enough_memory, model_card
from densecap.errors import UserError
from densecap.prediction.loop import Caption
from densecap.prediction.pictures import DrawingStyle
from densecap.prediction.precision import check_precision
from densecap.prediction.predictor import Predictor
from densecap.prediction.sources import Source, Unread
from densecap.prediction.video import import_av
from densecap.prediction.writers import check_formats
from densecap.structures import RegionPrediction


@dataclass(frozen=True)
class Job:
    """``directory`` is as typed, "-" for standard output; ``console`` hears what is said to people."""

    cfg: DictConfig
    formats: list[str]
    directory: str
    style: DrawingStyle
    source: Source
    boxes: GivenBoxes | None
    devices: Devices
    precision: str
    console: Console


def open_job(cfg: DictConfig, console: Console) -> Job:
    """Everything that was typed, checked. Errors: UserError for what cannot be done."""
    formats = [cfg.output.formats] if isinstance(cfg.output.formats, str) else list(cfg.output.formats)
    directory = str(cfg.output.dir)
    check_formats(formats, directory)
    formats = with_what_a_page_needs(formats)
    style = drawing_style(cfg)
    if "video" in formats:
        import_av()
    precision = check_precision(str(cfg.get("precision") or "fp32"))
    devices = choose_devices(cfg)
    boxes = open_boxes(_plain(cfg.boxes)) if cfg.get("boxes") else None
    named = _source(cfg, boxes)
    source = open_sources(cfg, named)
    if devices.count > 1:
        _check_sharing(cfg, named, source, directory)
    source = source if boxes is None else boxes.check(source)
    return Job(cfg, formats, directory, style, source, boxes, devices, precision, console)


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
    if started_by_launcher() and not typed("output.dir"):
        raise UserError("processes that torchrun or srun started need a folder that was typed: output.dir=FOLDER")


def captioner(job: Job, trained: TrainedModel) -> tuple[Caption, dict[str, Any]]:
    """What describes a list of images, with ``rerank`` if it is asked for, and its card for the files."""
    cfg, loaded, boxes = job.cfg, trained.loaded, job.boxes
    generation = reranking.with_hypotheses(cfg, trained.generation)
    rerank = reranking.of_pictures(cfg, loaded, job.console)
    predictor = Predictor(loaded.model, trained.detection, generation, precision=job.precision)
    card = model_card(loaded, trained.detection, generation) | {"vocabulary": loaded.model.vocabulary.words}
    if rerank is not None:
        card["config"]["rerank"] = reranking.settings_of(cfg)
    if job.precision != "fp32":
        card["config"]["precision"] = job.precision
    if boxes is not None:
        card["config"]["boxes"] = {"file": boxes.name, "digest": boxes.digest}

    def caption(items: Sequence[Unread], images: list[Tensor]) -> list[list[RegionPrediction]]:
        with enough_memory(len(images)):
            found = predictor.caption_images(images) if boxes is None else boxes.described_by(predictor, items, images)
            return found if rerank is None else rerank(images, found)

    return caption, card


def deciding_settings(card: dict[str, Any]) -> dict[str, Any]:
    """What decides what is predicted: results with other values do not go together in one folder."""
    config = {key: value for key, value in card["config"].items() if key != "boxes"}
    boxes = card["config"].get("boxes")
    return {"checkpoint": card["sha256"], **config, **({"boxes": boxes["digest"]} if boxes else {})}
