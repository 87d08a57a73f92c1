"""The explanations that stand as comments in the configuration files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml


@dataclass(frozen=True)
class Option:
    """A key of a configuration file: dotted name, default as written there, and its comment."""

    key: str
    default: str
    text: str


def explanation(path: Path) -> str:
    """The first comment line of a file (a ``@package`` line does not count), "" when there is none."""
    for line in path.read_text(encoding="utf-8").splitlines():
        comment = line.lstrip("# ").rstrip()
        if not line.startswith("#"):
            break
        if comment and not comment.startswith("@package"):
            return comment
    return ""


def options(path: Path) -> list[Option]:
    """Every key of a file down to the leaves, without the defaults list and what is for the builder (``_target_``)."""
    text = path.read_text(encoding="utf-8")
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    return list(_walk(root, "", text.splitlines())) if isinstance(root, yaml.MappingNode) else []


def _walk(node: yaml.MappingNode, prefix: str, lines: list[str]) -> Iterator[Option]:
    for key_node, value in node.value:
        key = key_node.value
        if (not prefix and key == "defaults") or key.startswith("_"):
            continue
        if isinstance(value, yaml.MappingNode) and value.value:
            yield from _walk(value, f"{prefix}{key}.", lines)
        else:
            yield Option(prefix + key, _written(value), _comment(key_node, value, lines))


def _written(node: yaml.Node) -> str:
    """A value on one line, much as it was written."""
    if isinstance(node, yaml.SequenceNode):
        return f"[{', '.join(_written(item) for item in node.value)}]"
    if isinstance(node, yaml.MappingNode):
        return "{}"
    return str(node.value) or ("null" if node.start_mark.index == node.end_mark.index else '""')


def _comment(key: yaml.Node, value: yaml.Node, lines: list[str]) -> str:
    """The comment behind a key and its value on the same line, or else the lines of comment right above it."""
    line = key.start_mark.line
    before = value if value.end_mark.line == line else key
    match = re.match(r"\s*:?\s*#\s*(.*)", lines[line][before.end_mark.column :])
    if match:
        return match[1].strip()
    first = line
    while first > 0 and lines[first - 1].strip().startswith("#"):
        first -= 1
    above = lines[first:line] if first > 0 else []  # the comment that opens the file is about the file
    return " ".join(comment.strip().lstrip("# ") for comment in above)
