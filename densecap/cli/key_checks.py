"""Whether a key exists and its value fits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig

from densecap.cli.names import hint, listing, nearest, suggestion
from densecap.cli.quoting import quote
from densecap.cli.trainer_names import RULES
from densecap.cli.value_types import as_list, as_text, default_of, mismatch
from densecap.errors import UserError


def check_key(config: DictConfig, override: Override, groups: list[str]) -> Any:
    """The default of an overridden key; None too for keys that are added.

    Errors: UserError with the nearest names for a key to change that is not there, or one to add that is.
    """
    key = override.key_or_group
    try:
        default = default_of(config, key)
    except KeyError:
        if override.type in (OverrideType.CHANGE, OverrideType.DEL):
            raise UserError(_unknown(config, key, groups)) from None
        _check_section(config, key)
        return None
    if override.type == OverrideType.ADD:
        raise UserError(f"{key} is there already; write {key}=... without the + to change it")
    return default


def _check_section(config: DictConfig, key: str) -> None:
    """Errors: UserError for a key to add to what has a value and no keys."""
    parent, _, last = key.rpartition(".")
    try:
        node = default_of(config, parent) if parent else config
    except KeyError:
        return
    if isinstance(node, str | int | float):
        raise UserError(f"{parent} is {node} and has no keys to add to: write {parent}={{_target_:CLASS,{last}:VALUE}}")


def _unknown(config: DictConfig, key: str, groups: list[str]) -> str:
    if "/" in key:
        return f"there is no group {key}{hint(key, groups)}"
    parent, _, last = key.rpartition(".")
    siblings = _names(config, parent)
    known = list(keys(config))
    near = (
        [f"{parent}.{name}" if parent else name for name in nearest(last, siblings)]
        or [name for name in known if name.rpartition(".")[2] == last]
        or ([] if siblings and parent else nearest(key, [*known, *groups]))
    )
    where = f"; {parent} has {listing(siblings)}" if parent and siblings else "; --help lists all, +key=value adds one"
    return f"there is no option {key}{suggestion(near[:3]) or where}"


def _names(config: DictConfig, section: str) -> list[str]:
    """The keys of a section, none when there is no such section."""
    try:
        node = default_of(config, section) if section else config
    except KeyError:
        node = None
    return [str(name) for name in node if not str(name).startswith("_")] if isinstance(node, DictConfig) else []


def keys(config: DictConfig, prefix: str = "") -> Iterator[str]:
    """All dotted keys, sections included, without Hydra's own."""
    for name in config:
        key = prefix + str(name)
        if key == "hydra" or str(name).startswith("_"):
            continue
        yield key
        node = config._get_node(str(name))
        if isinstance(node, DictConfig) and not (node._is_none() or node._is_missing() or node._is_interpolation()):
            yield from keys(node, f"{key}.")


def check_value(key: str, default: Any, value: Any, typed: str, groups: list[str]) -> None:
    """Errors: UserError when a value is of another type than the default, or no name that Lightning knows."""
    if isinstance(default, DictConfig) and isinstance(value, dict):
        for name, part in value.items():
            inner = f"{key}.{name}"
            if name not in list(default.keys()):
                raise UserError(f"there is no option {inner}{hint(str(name), _names(default, ''))}")
            check_value(inner, default_of(default, str(name)), part, str(part), groups)
    elif key in RULES:
        _refuse(key, typed, RULES[key](value), "")
    elif isinstance(default, DictConfig):
        group = key.replace(".", "/")
        choose = f"; choose another {key} with {group}={typed}" if group in groups else ""
        _refuse(key, typed, mismatch(default, value), choose)
    elif not as_list(default, value):
        _refuse(key, typed, mismatch(default, value), "" if isinstance(default, list) else f" like {default}")


def _refuse(key: str, typed: str, problem: str | None, ending: str) -> None:
    if problem:
        raise UserError(f"{key}={typed} does not fit: {problem}{ending}")


def rewritten(default: Any, value: Any, typed: str) -> str | None:
    """A value to put in the place of what was typed: text where text is due (``data.version=1.2``), a list of one
    word where a list of words is; None to leave it."""
    if as_text(default, value):
        return quote(typed)
    if as_list(default, value) and "${" not in typed:
        return f"[{typed}]"
    return None
