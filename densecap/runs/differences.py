"""What two runs were told differently, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from densecap.runs.folder import Run
from densecap.runs.listing import Row
from densecap.runs.status import IRRELEVANT, without_folder

#: Stands for the value of a key that a run does not have.
ABSENT = "(absent)"

#: Sections that stand in another one as well: ``metric`` in ``callbacks.metrics``.
_TWICE = ("metric",)


def config_differences(first: Run, second: Run) -> list[Row]:
    """Rows of key and both values, for dotted keys whose values differ; where files lie does not count.

    A key that one run does not have is ``ABSENT`` there.
    """
    left, right = dict(_flat(_relevant(first))), dict(_flat(_relevant(second)))
    keys = [*left, *(key for key in right if key not in left)]
    return [
        {"key": key, first.name: left.get(key, ABSENT), second.name: right.get(key, ABSENT)}
        for key in keys
        if not _same(left.get(key, ABSENT), right.get(key, ABSENT))
    ]


def _same(left: Any, right: Any) -> bool:
    return left == right and isinstance(left, bool) == isinstance(right, bool)  # in Python 1 is True


def _relevant(run: Run) -> dict[str, Any]:
    plain = without_folder(run.config)
    chosen = {f"choices.{group}": member for group, member in (run.config.get("choices") or {}).items()}
    return {key: value for key, value in plain.items() if key not in (*IRRELEVANT, *_TWICE)} | chosen


def _flat(node: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted key, value) of every leaf; lists are leaves, unless they hold sections."""
    if isinstance(node, Mapping) and node:
        for name, value in node.items():
            yield from _flat(value, f"{key}.{name}" if key else str(name))
    else:
        yield key, node


def figure_rows(first: Run, second: Run) -> list[Row]:
    """Rows of every figure of validation, its best in both runs and the difference, and of steps and time."""
    rows: list[Row] = []
    names = [*first.best, *(name for name in second.best if name not in first.best)]
    for name in names:
        left, right = first.best.get(name), second.best.get(name)
        change = None if left is None or right is None else right - left
        rows.append({"figure": name, first.name: left, second.name: right, "difference": change})
    for name, left, right in (
        ("steps", first.steps, second.steps),
        ("epochs", first.epochs, second.epochs),
        ("seconds", round(first.seconds), round(second.seconds)),
    ):
        change = None if left is None or right is None else right - left
        rows.append({"figure": name, first.name: left, second.name: right, "difference": change})
    return rows
