"""What a model says about itself, checked before anything is made of it: sizes within reason, plain values only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from densecap.errors import UserError
from densecap.structures import CHECKPOINT_VERSION

#: A number in a model's configuration at most: of layers and the like, and of everything else.
MAX_COUNT, MAX_SIZE = 1000, 1_000_000

#: Keys of the data's configuration that say something about the model and nothing about a machine.
DATA_KEYS = ("name", "min_token_count", "max_tokens", "image_size")

#: Parts of a training's configuration that a model needs to be used.
PARTS = ("model", "detection", "generation")


def check_description(own: Any, path: object) -> None:
    """``own`` is what a checkpoint has under ``densecap``, words included.

    Errors: UserError when it is of a newer version, incomplete, or asks for what no machine can build.
    """
    if not isinstance(own, Mapping) or not isinstance(own.get("version"), int):
        raise UserError(f"{path} holds no densecap model: it does not say in which version of the format it is")
    if own["version"] > CHECKPOINT_VERSION:
        raise UserError(f"{path} was written by a newer densecap (format {own['version']}); update this one")
    config, words = own.get("config"), own.get("words")
    if not isinstance(config, Mapping) or not isinstance(config.get("model"), Mapping):
        raise UserError(f"{path} holds no densecap model: its configuration describes none")
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise UserError(f"{path} holds no densecap model: its vocabulary is no list of words")
    if len(set(words)) < len(words):
        raise UserError(f"{path} has a broken vocabulary: some words are in it twice")
    if not isinstance(own.get("data_name"), str):
        raise UserError(f"{path} holds no densecap model: it does not say on what data it was trained")
    for name in PARTS:
        _check_numbers(config.get(name), name, path)


def _check_numbers(node: Any, key: str, path: object) -> None:
    if isinstance(node, Mapping):
        for name, value in node.items():
            _check_numbers(value, str(name), path)
    elif isinstance(node, list | tuple):
        if len(node) > MAX_COUNT:
            raise UserError(f"{path} is not built: its configuration gives {len(node)} values for {key}")
        for value in node:
            _check_numbers(value, key, path)
    elif isinstance(node, int | float) and not isinstance(node, bool):
        limit = MAX_COUNT if key.startswith("num_") else MAX_SIZE
        if not abs(node) <= limit:  # which is so for what is not a number, too
            raise UserError(f"{path} is not built: its configuration asks for {key}={node}, more than {limit}")


def portable_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of a model without what is about the machine it was trained on: folders, loggers, devices."""
    kept = {name: config[name] for name in PARTS if config.get(name)}
    model = dict(kept["model"])
    backbone = model.get("backbone")
    if isinstance(backbone, Mapping) and backbone.get("weights") not in (None, "imagenet"):
        model["backbone"] = {**backbone, "weights": None}  # the path of a file here
    data = config.get("data") or {}
    choices = {key: value for key, value in (config.get("choices") or {}).items() if key.startswith("model")}
    return {**kept, "model": model, "data": {key: data[key] for key in DATA_KEYS if key in data}, "choices": choices}
