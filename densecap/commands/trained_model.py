"""A trained model on its device with the settings that were typed: what every command that uses one begins with."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from densecap import checkpoint
from densecap.checkpoint import LoadedModel
from densecap.commands.typed_settings import positive as positive
from densecap.commands.typed_settings import typed_settings as typed_settings
from densecap.errors import UserError
from densecap.model_folder.layout import is_graph, is_model_folder
from densecap.models.generation import GenerationSettings
from densecap.models.settings import DetectionSettings


@dataclasses.dataclass(frozen=True)
class TrainedModel:
    """``loaded.model`` is on its device; ``batch_size`` images are given to it at once."""

    loaded: LoadedModel
    detection: DetectionSettings
    generation: GenerationSettings
    batch_size: int


def prepare_model(cfg: DictConfig, device: torch.device, load: Callable[[], LoadedModel]) -> TrainedModel:
    """What ``load`` gives, on the device, its settings replaced by those that were typed.

    Errors: UserError for an option out of range, where it can be before the model is loaded.
    """
    batch_size = positive(cfg, "batch_size")
    loaded = load()
    model = loaded.model.to(device)
    if cfg.get("image_size"):
        model.image_size = positive(cfg, "image_size")
    detection = typed_settings(cfg, "detection", model.detection)
    generation = typed_settings(cfg, "generation", model.generation)
    return TrainedModel(loaded, detection, generation, batch_size)


@contextmanager
def enough_memory(count: int) -> Iterator[None]:
    """Errors: UserError in place of the device's own when ``count`` images at once are too many for it."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise UserError(
            f"the device has too little memory for {count} images at once: give a smaller batch_size, fewer "
            "detection.max_proposals where the model finds boxes, or device=cpu"
        ) from error


def load_model(cfg: DictConfig, console: Console) -> LoadedModel:
    """The model of ``find_checkpoint``; ``model.backbone.weights`` says where its backbone's weights lie now."""
    weights = OmegaConf.select(cfg, "model.backbone.weights")
    path = find_checkpoint(cfg, console)
    return checkpoint.load(path, str(weights)) if weights else checkpoint.load(path)


def find_checkpoint(cfg: DictConfig, console: Console) -> Path:
    """``cfg.ckpt``: a file, a model's folder, an address of the hub, or another folder for the newest in it; without it
    the newest under ``cfg.paths.outputs``.

    Errors: UserError when there is none.
    """
    given = Path(str(cfg.ckpt)).expanduser() if cfg.get("ckpt") else None
    if given is not None and (not given.is_dir() or is_model_folder(given) or is_graph(given)):
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
