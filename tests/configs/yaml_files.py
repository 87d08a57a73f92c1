"""The files of configs/, found on disk, and the commands that each is composed into."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import pytest
import yaml
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict

from densecap.cli.composition import compose_whole, opened
from densecap.cli.locations import config_dir

FILES = sorted(path.relative_to(config_dir()).with_suffix("").as_posix() for path in config_dir().rglob("*.yaml"))
ROOTS = [file for file in FILES if "/" not in file]
MEMBERS = [file for file in FILES if "/" in file]

#: The members that need a package beyond those that densecap itself needs: only these may be skipped without it.
OPTIONAL = {"model/backbone/timm": "timm", "logger/mlflow": "mlflow", "hydra/sweeper/optuna": "optuna"}

#: Groups whose members some test builds, noted by ``each_of``.
BUILT: set[str] = set()

#: Options beside which a file is composed, where it needs some.
BESIDE = {"model/backbone/precomputed": ["model=mrnn_vgg16"]}


def group_and_name(member: str) -> tuple[str, str]:
    group, _, name = member.rpartition("/")
    return group, name


def of_group(group: str) -> list[str]:
    return [name for own, name in map(group_and_name, MEMBERS) if own == group]


def each_of(group: str, long: Sequence[str] = ()) -> pytest.MarkDecorator:
    """Marks a test that builds every member ``name`` of a group; those that take long are for the long tests."""
    BUILT.add(group)
    marks = {name: pytest.mark.long for name in long}
    return pytest.mark.parametrize("name", [pytest.param(name, marks=marks.get(name, ())) for name in of_group(group)])


def need_package(member: str) -> None:
    """Skips where the member is one of ``OPTIONAL`` and its package is not installed."""
    if member in OPTIONAL:
        pytest.importorskip(OPTIONAL[member])


def text_of(file: str) -> str:
    return (config_dir() / f"{file}.yaml").read_text(encoding="utf-8")


@cache
def chosen_groups(root: str) -> dict[str, Any]:
    """The groups in the defaults list of a command's file, with what it chooses of them."""
    entries = yaml.safe_load(text_of(root)).get("defaults", [])
    return {group: choice for entry in entries if isinstance(entry, dict) for group, choice in entry.items()}


def roots_of(member: str) -> list[str]:
    """The commands that a member of a group can be chosen for: those with the group, or with the one it is part of.

    An experiment is for ``train``, and for the command that its first lines name.
    """
    group, _ = group_and_name(member)
    if group == "experiment":
        named = re.search(r"python -m densecap (\w+)", text_of(member))
        return sorted({"train", named[1] if named else "train"})
    if group.startswith("hydra/"):
        return ["train"]  # what sweeps are made of
    whole = group.partition("/")[0]
    return [root for root in ROOTS if group in chosen_groups(root) or chosen_groups(root).get(whole) is not None]


def compositions(file: str) -> list[tuple[str, tuple[str, ...]]]:
    """(root, overrides) of every command that has a use for the file, ``train`` first."""
    if file in ROOTS:
        return [(file, ())]
    group, name = group_and_name(file)
    roots = sorted(roots_of(file), key=lambda root: root != "train")
    return [(root, _overrides(root, group, name, BESIDE.get(file, []))) for root in roots]


def _overrides(root: str, group: str, name: str, beside: list[str]) -> tuple[str, ...]:
    chosen = f"{group}=[{name}]" if isinstance(chosen_groups(root).get(group), list) else f"{group}={name}"
    known = [option for option in beside if option.partition("=")[0] in chosen_groups(root)]
    return (chosen, *known)


def composed(root: str, *overrides: str) -> DictConfig:
    """What the command is given, with Hydra's own node, as a copy of one's own; interpolations resolve in it.

    What only a running command knows is filled in (the folder of the run is RUN), and what a user has to give, too.
    """
    defaults = chosen_groups(root).items()
    config = copy.deepcopy(_composed(root, *(o for o in overrides if tuple(o.split("=", 1)) not in defaults)))
    HydraConfig.instance().set_config(config)
    return config


@cache
def _composed(root: str, *overrides: str) -> DictConfig:
    with opened():
        config = compose_whole(root, list(overrides))
    with open_dict(config):
        config.hydra.runtime.output_dir, config.hydra.job.num = "RUN", 0
        for key in _missing(config):
            OmegaConf.update(config, key, "given")
    return config


@cache
def plain(root: str, *overrides: str) -> dict[str, Any]:
    """The same as dicts and lists, every interpolation resolved; not to be changed."""
    before = HydraConfig.instance().cfg
    try:
        config = composed(root, *overrides)
        return OmegaConf.to_container(config, resolve=True, throw_on_missing=True)  # type: ignore[return-value]
    finally:
        HydraConfig.instance().cfg = before


def _missing(node: DictConfig | ListConfig, prefix: str = "") -> Iterator[str]:
    """The dotted keys that hold ``???``."""
    keys: Any = list(node) if isinstance(node, DictConfig) else range(len(node))
    for key in keys:
        if OmegaConf.is_missing(node, key):
            yield f"{prefix}{key}"
        elif OmegaConf.is_config(child := node._get_node(key)) and not (child._is_none() or child._is_interpolation()):  # type: ignore[union-attr]
            yield from _missing(child, f"{prefix}{key}.")  # type: ignore[arg-type]
