"""Whether a value fits a key, judged by the type of the key's default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

#: The default of a key that takes any value: it is null, missing (``???``) or not known before the command runs.
ANYTHING = None


def default_of(config: DictConfig, key: str) -> Any:
    """The default at a dotted key: plain value, list or DictConfig; ``ANYTHING`` when it says nothing about the type.

    Errors: KeyError when there is no such key.
    """
    parent_key, _, last = key.rpartition(".")
    try:
        parent = OmegaConf.select(config, parent_key) if parent_key else config
    except OmegaConfBaseException:
        parent = None
    if isinstance(parent, ListConfig) and last.isdigit() and int(last) < len(parent):
        return parent[int(last)]
    if not isinstance(parent, DictConfig) or last not in list(parent.keys()):
        raise KeyError(key)
    try:
        value = parent[last]
    except OmegaConfBaseException:  # ???, or an interpolation that only a running command can resolve
        return ANYTHING
    return OmegaConf.to_container(value) if isinstance(value, ListConfig) else value


def mismatch(default: Any, value: Any) -> str | None:
    """What was expected, as a part of a sentence, when the value does not fit the default; None when it does.

    ``null`` fits every key, whole numbers fit where decimal ones do, and a default of "auto" admits numbers.
    """
    if default is ANYTHING or value is None or _is_interpolation(value):
        return None
    if isinstance(default, bool):
        return None if isinstance(value, bool) else "expected true or false"
    if isinstance(default, int):
        return None if isinstance(value, int) and not isinstance(value, bool) else "expected a whole number"
    if isinstance(default, float):
        return None if isinstance(value, int | float) and not isinstance(value, bool) else "expected a number"
    if isinstance(default, str):
        return "expected one word or text" if isinstance(value, list | Mapping) else None
    if isinstance(default, list):
        return _list_mismatch(default, value)
    return None if isinstance(value, Mapping) else "expected a section"


def _list_mismatch(default: list[Any], value: Any) -> str | None:
    if not isinstance(value, list):
        return "expected a list such as " + (_as_typed(default) if default else "[a,b]")
    for item in value:
        problem = mismatch(default[0], item) if default else None
        if problem:
            return f"{problem.replace('expected a', 'expected in the list a', 1)} such as {default[0]}"
    return None


def _as_typed(value: Any) -> str:
    return f"[{','.join(_as_typed(item) for item in value)}]" if isinstance(value, list) else str(value)


def _is_interpolation(value: Any) -> bool:
    return isinstance(value, str) and "${" in value and "\\${" not in value


def as_text(default: Any, value: Any) -> bool:
    """Whether a number or flag was typed where the key holds text, and is to be read as that text."""
    is_text_key = isinstance(default, str) and default != "auto"
    return is_text_key and isinstance(value, int | float)  # bool is an int


def as_list(default: Any, value: Any) -> bool:
    """Whether one word was typed where the key holds a list of words."""
    return isinstance(default, list) and isinstance(value, str) and all(isinstance(item, str) for item in default)
