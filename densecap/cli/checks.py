"""Checks of everything typed, before the slow imports: composes the configuration, runs nothing.

Errors are UserErrors of one sentence with the nearest valid names.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from densecap.cli import locations
from densecap.cli.arguments import Request
from densecap.cli.comments import options
from densecap.cli.composition import choices, compose_whole, opened
from densecap.cli.group_checks import check_member, chooses, explain_unused_group, groups, none_for_null
from densecap.cli.key_checks import check_key, check_value, rewritten
from densecap.errors import UserError
from densecap.sweeps.search_space import override_texts

#: The key that ``--config-dir`` becomes.
SEARCH_PATH = "hydra.searchpath"

#: A key that may be missing where another is given: a file of boxes names the pictures it is about.
INSTEAD = {"source": "boxes"}


def check(request: Request, config_dir: Path | None = None) -> tuple[Request, DictConfig]:
    """The request with values brought to their key's form, and the configuration composed from it.

    In a sweep every value is checked against the configuration of the sweep's first job.
    """
    parsed = [(text, _parse(text, request.multirun)) for text in request.overrides]
    search_path = [path for _, item in parsed for path in _search_path(item)]
    with opened(config_dir, search_path) as loader:
        texts = [none_for_null(loader, item, text) for text, item in parsed]
        parsed = [(text, _parse(text, request.multirun)) for text in texts]
        shaping = [text for text, item in parsed if chooses(loader, item) or item.key_or_group == SEARCH_PATH]
        _check_members(loader, [item for _, item in parsed])
        base = _compose(request, shaping)
        names = sorted(groups(loader))
        settled = [text if text in shaping else _settle(base, text, item, names) for text, item in parsed]
        config = _compose(request, settled)
        if request.multirun:
            _check_search_space(loader, config, names)
    if request.runs and "${" in str(config.paths.outputs):
        raise UserError(f"paths.outputs={config.paths.outputs}: Hydra takes ${{ for its own; choose another folder")
    if request.runs:
        _check_missing(request, config, config_dir or locations.config_dir())
    return replace(request, overrides=settled), config


def _check_search_space(loader: ConfigLoader, config: DictConfig, names: list[str]) -> None:
    """The keys that a search varies, which stand in a file: as if they had been typed."""
    params = OmegaConf.to_container(config.hydra.sweeper, resolve=True).get("params")  # type: ignore[union-attr]
    for text in override_texts(params or {}):
        override = _parse(text, multirun=True)
        if chooses(loader, override):
            check_member(loader, override, list(_values(override)))
        elif not override.key_or_group.startswith("hydra"):
            _settle(config, text, override, names)


def _parse(text: str, multirun: bool) -> Override:
    try:
        override = OverridesParser.create().parse_override(text)
    except HydraException as error:
        key = text.partition("=")[0]
        hint = f"; parts of a key are joined by dots: {key.replace('/', '.')}" if "/" in key else ""
        raise UserError(f"{text} cannot be read as key=value{hint}") from error
    if override.is_sweep_override() and not multirun:
        key, _, typed = text.partition("=")
        raise UserError(f"{text} names several values: write {key}=[{typed}] for a list, or add -m for a run each")
    return override


def _search_path(override: Override) -> list[str]:
    folders = override.value() if override.key_or_group == SEARCH_PATH else []
    return [str(folder) for folder in folders] if isinstance(folders, list) else []


def _values(override: Override) -> Iterator[Any]:
    """The value of an override, or each value of its sweep; nothing for a sweep over a range of decimals."""
    if not override.is_sweep_override():
        yield override.value()
    elif override.is_discrete_sweep():
        for text in override.sweep_string_iterator():
            yield OverridesParser.create().parse_override(f"key={text}").value()


def _check_members(loader: ConfigLoader, overrides: list[Override]) -> None:
    for override in overrides:
        if chooses(loader, override) and override.type != OverrideType.DEL:
            check_member(loader, override, list(_values(override)))


def _compose(request: Request, overrides: list[str]) -> DictConfig:
    """The configuration of a run, or of a sweep's first run."""
    try:
        return compose_whole(request.command.config_name, [_first(text) for text in overrides])
    except UserError as error:
        used = list(choices(compose_whole(request.command.config_name, [])))
        raise UserError(explain_unused_group(str(error), request.command.name, used)) from error


def _first(text: str) -> str:
    override = OverridesParser.create().parse_override(text)
    if not override.is_sweep_override():
        return text
    values = override.sweep_string_iterator() if override.is_discrete_sweep() else iter(["null"])
    return f"{override.get_key_element()}={next(values)}"


def _settle(config: DictConfig, text: str, override: Override, names: list[str]) -> str:
    """One key=value after its checks, in the form that its key wants."""
    key = override.key_or_group
    if key.startswith(("hydra.", "hydra/")):
        return text
    default = check_key(config, override, names)
    typed = text.partition("=")[2]
    for value in [] if override.type == OverrideType.DEL else _values(override):
        check_value(key, default, value, typed, names)
        new = rewritten(default, value, typed)
        if new is not None and not override.is_sweep_override():
            return f"{text.partition('=')[0]}={new}"
    return text


def _check_missing(request: Request, config: DictConfig, config_dir: Path) -> None:
    plain = OmegaConf.to_container(config, resolve=False)
    missing = sorted(_missing({key: value for key, value in plain.items() if key != "hydra"}))  # type: ignore[union-attr]
    missing = [key for key in missing if not (key in INSTEAD and config.get(INSTEAD[key]))]
    if missing:
        explained = {option.key: option.text for option in options(config_dir / f"{request.command.config_name}.yaml")}
        text = explained.get(missing[0], "")
        raise UserError(f"{request.command.name} needs {missing[0]}=..." + (f": {text}" if text else ""))


def _missing(node: Any, key: str = "") -> Iterator[str]:
    """The dotted keys that hold ``???``; nothing is resolved, as only a running command could."""
    if node == "???":
        yield key
    elif isinstance(node, dict):
        for name, value in node.items():
            yield from _missing(value, f"{key}.{name}" if key else str(name))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _missing(value, f"{key}.{index}")
