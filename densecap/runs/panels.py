"""Which curves of a run belong in one panel, and in which order the panels stand."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Panel:
    """``title`` over the curves of ``names``."""

    title: str
    names: tuple[str, ...]


def panels_of(names: Iterable[str]) -> list[Panel]:
    """A panel for each figure: its training and validation curves together, relatives such as BLEU-1 to BLEU-4 too.

    The total loss comes first, then the figures of validation, the parts of the loss, learning rates, speed and
    memory.
    """
    groups: dict[tuple[int, str], list[str]] = {}
    for name in names:
        groups.setdefault(_place(name), []).append(name)
    return [Panel(title, tuple(sorted(group, key=_order))) for (_, title), group in sorted(groups.items())]


def _place(name: str) -> tuple[int, str]:
    stage, _, figure = name.partition("/")
    if name.startswith("lr-"):
        return 4, "learning rate"
    if figure == "loss":
        return 0, "loss"
    if figure.startswith("loss_"):
        return 3, figure.removeprefix("loss_").replace("_", " ") + " loss"
    if stage in ("speed", "memory"):
        return 5 if stage == "speed" else 6, _unit_free(figure)
    return (1 if stage == "val" else 2), re.sub(r"(-\d+|@\.?\d+)$", "", figure or name)


def _unit_free(figure: str) -> str:
    return "memory, GiB" if figure.endswith("_GiB") else figure.replace("_", " ")


def _order(name: str) -> tuple[bool, str]:
    """Training before validation, relatives in the order of their names."""
    return not name.startswith("train/"), name


def label(name: str, panel: Panel) -> str:
    """What tells a curve from the others of its panel: the stage, or the end of the name; empty where nothing need."""
    stage, _, figure = name.partition("/")
    if len(panel.names) == 1:
        return "" if stage in ("speed", "memory") or name.startswith("lr-") else stage
    if name.startswith("lr-"):
        return figure or name.removeprefix("lr-")
    stages = {other.partition("/")[0] for other in panel.names}
    if len(stages) > 1:
        same_stage = [other for other in panel.names if other.startswith(f"{stage}/")]
        return stage if len(same_stage) == 1 else name
    return figure.removesuffix("_GiB").replace("_", " ")
