"""Settings of a model replaced by those that were typed."""

from __future__ import annotations

import dataclasses
from typing import TypeVar

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from densecap.commands.fresh_folder import typed
from densecap.errors import UserError

Settings = TypeVar("Settings")


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


def positive(cfg: DictConfig, key: str) -> int:
    """A whole number above 0; errors: UserError."""
    if not isinstance(cfg[key], int) or cfg[key] < 1:
        raise UserError(f"{key} is a whole number above 0, got {cfg[key]}")
    return cfg[key]
