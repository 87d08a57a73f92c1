"""``source=visual_genome:test``: the photos of a named split, through the reader of ``configs/data/NAME.yaml``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from hydra import compose
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from densecap.builder import build
from densecap.data.reader import Reader
from densecap.data.splits import SPLIT_NAMES
from densecap.errors import UserError


class DataSplits:
    """Opens splits by name; ``typed`` are values that take the place of those in the data set's own config.

    ``paths`` says where data lie. Errors: UserError for a data set that is not there, or a key that it does not have.
    """

    def __init__(self, paths: DictConfig, typed: DictConfig | None = None) -> None:
        self.paths = paths
        self.typed = {str(key): value for key, value in (typed or {}).items() if value is not None}

    def __call__(self, name: str, split: str) -> list[tuple[str, Path]]:
        """Image id and original photo of each image of the split, in the data set's order."""
        reader: Reader = build(self._config(name)["reader"])
        wanted = SPLIT_NAMES[split]
        return [(record.image_id, record.path) for record in reader.records() if record.split == wanted]

    def _config(self, name: str) -> dict[str, Any]:
        """The node ``data`` as the commands get it that have one."""
        if not GlobalHydra.instance().is_initialized():
            raise UserError(f"{name} is a data set, which only a command that Hydra started can look up")
        loader = GlobalHydra.instance().config_loader()
        known = loader.get_group_options("data")
        if name not in known:
            raise UserError(f"there is no data set {name}: there are {', '.join(known)}")
        try:
            from densecap.commands.preprocess import plain_data  # PyTorch, which not every source needs

            cfg = compose("preprocess", [f"data={name}", *_search_path()])
            cfg.paths = self.paths
            for key, value in self.typed.items():
                if key not in cfg.data:
                    raise UserError(f"data={name} has no key {key}: it has {', '.join(map(str, cfg.data))}")
                OmegaConf.update(cfg.data, key, value)
            return plain_data(cfg.data)
        except (HydraException, OmegaConfBaseException) as error:
            raise UserError(f"data={name}: {' '.join(str(error).split())}") from error


def _search_path() -> list[str]:
    """Folders of configs that the command line added."""
    cfg = cast("DictConfig | None", HydraConfig.instance().cfg)
    added = [] if cfg is None else OmegaConf.select(cfg, "hydra.searchpath") or []
    return [f"hydra.searchpath=[{','.join(repr(path) for path in added)}]"] if added else []
