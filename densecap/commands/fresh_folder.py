"""Where a command writes when nobody said where: a new folder, never on top of an earlier result."""

from __future__ import annotations

import itertools
from pathlib import Path

from hydra.core.hydra_config import HydraConfig


def typed(key: str) -> bool:
    """Whether an option, or the group it is in, was given on the command line; in a script every option is."""
    if not HydraConfig.initialized():
        return True
    keys = typed_keys()
    return key in keys or key.partition(".")[0] in keys


def typed_keys(prefix: str = "") -> list[str]:
    """The options given on the command line that begin so; none in a script."""
    if not HydraConfig.initialized():
        return []
    keys = [override.lstrip("+~").split("=")[0] for override in HydraConfig.get().overrides.task]
    return [key for key in keys if key.startswith(prefix)]


def make_fresh_folder(wanted: Path) -> Path:
    """A new folder of that name, with a number behind it when there is one already: predict, predict-2, predict-3."""
    wanted.parent.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        folder = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise AssertionError("unreachable")
