"""What ``source`` of a command means, with its nodes ``frames`` and ``data``."""

from __future__ import annotations

from omegaconf import DictConfig, OmegaConf

from densecap.commands.data_splits import DataSplits
from densecap.prediction.sources import Shard, Source, SourceSettings, open_source


def open_sources(cfg: DictConfig, named: str | list[str]) -> Source:
    """The pictures of ``named``. Errors: UserError for what cannot be opened, or a setting out of range."""
    frames = cfg.get("frames") or {}
    settings = SourceSettings(**(OmegaConf.to_container(frames) if isinstance(frames, DictConfig) else frames))  # type: ignore[arg-type]
    return open_source(named, settings, DataSplits(cfg.paths, cfg.get("data")), Shard.read(cfg.get("shard")))
