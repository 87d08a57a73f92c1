"""Checkpoints: a Lightning file that also carries the resolved config and the word list.

What is added under the key ``densecap``: ``version`` (int), ``config`` (plain dicts and lists), ``words`` (the
vocabulary in order), ``data_name``. Only tensors and plain values are stored, so ``weights_only=True`` reads it.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from densecap.builder import build
from densecap.errors import UserError
from densecap.models.dense_captioner import DenseCaptioner
from densecap.structures import CHECKPOINT_VERSION
from densecap.text.vocabulary import Vocabulary


@dataclass
class LoadedModel:
    """A model ready to predict, with the config it was trained with."""

    model: DenseCaptioner
    config: dict[str, Any]
    path: Path
    data_name: str
    trained_on: torch.Tensor | None = None  # keys of images, see ``densecap.data.training_images``


def card(config: Mapping[str, Any], vocabulary: Vocabulary) -> dict[str, Any]:
    """What a checkpoint says about itself, stored under ``densecap``."""
    name = config.get("data", {}).get("name", "")
    return {"version": CHECKPOINT_VERSION, "config": dict(config), "words": vocabulary.words, "data_name": name}


def trained_on(content: Mapping[str, Any]) -> torch.Tensor | None:
    """(M,) keys of the images a checkpoint was trained on, as the datamodule stored them; None if it does not say."""
    return content.get("CaptioningDataModule", {}).get("trained_on")


def read(path: str | Path) -> dict[str, Any]:
    """The content of a checkpoint on the CPU; errors: UserError when it is missing, broken or not ours."""
    path = Path(path)
    if not path.is_file():
        raise UserError(f"there is no checkpoint at {path}; give the path of a .ckpt file that train.py wrote")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError, ValueError, KeyError) as error:
        raise UserError(f"{path} cannot be read as a checkpoint ({_first_line(error)}); is it complete?") from error
    own = content.get("densecap") if isinstance(content, dict) else None
    if own is None:
        raise UserError(f"{path} holds no densecap model; give a checkpoint that train.py wrote")
    if own["version"] > CHECKPOINT_VERSION:
        raise UserError(f"{path} was written by a newer densecap (format {own['version']}); update this one")
    return content


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:120]


def build_model(model_config: Mapping[str, Any], vocabulary: Vocabulary, pretrained: bool = True) -> DenseCaptioner:
    """The model a config describes; without ``pretrained`` no ImageNet weights are looked for."""
    plain = dict(model_config)
    if not pretrained:
        plain["backbone"] = {**plain["backbone"], "weights": None}
    return build(plain)(vocabulary=vocabulary)


def weights_of(content: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """The model's tensors, without the prefix Lightning puts before them."""
    prefix = "model."
    return {key[len(prefix) :]: value for key, value in content["state_dict"].items() if key.startswith(prefix)}


def load(path: str | Path) -> LoadedModel:
    """A trained model in evaluation mode, on the CPU."""
    content = read(path)
    own = content["densecap"]
    model = build_model(own["config"]["model"], Vocabulary(own["words"]), pretrained=False)
    try:
        model.load_state_dict(weights_of(content))
    except RuntimeError as error:
        raise UserError(f"the weights in {path} do not fit the model its config describes: {error}") from error
    for name in ("detection", "generation"):
        if own["config"].get(name):
            setattr(model, name, build(own["config"][name]))
    return LoadedModel(model.eval(), own["config"], Path(path), own["data_name"], trained_on(content))


def newest(outputs: str | Path, name: str | None = None) -> Path | None:
    """A checkpoint of the run under the outputs folder that saved one last, or None: its best, else its last.

    ``name`` asks for ``best`` or ``last`` alone.
    """
    names = [name] if name else ["best", "last"]
    found = [path for each in names for path in Path(outputs).glob(f"**/checkpoints/{each}.ckpt") if path.is_file()]
    latest = max(found, key=lambda path: (path.stat().st_mtime, str(path)), default=None)
    return latest and min((path for path in found if path.parent == latest.parent), key=lambda p: names.index(p.stem))
