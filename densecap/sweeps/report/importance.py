"""How much of the differences between trials each parameter explains."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Any

from densecap.sweeps.report.rows import Row, Sweep

#: Fewest complete trials that something is said about.
FEWEST = 4
#: A number with more distinct values than this is put into so many groups of equal size.
GROUPS = 4


def importances(sweep: Sweep) -> dict[str, float]:
    """Per parameter the share of the figure's variance, 0..1, between the groups of its values; largest first.

    It is epsilon squared (Kelley 1935): the correlation ratio less what as many groups of equal trials would show by
    chance, none of it below 0. One parameter is looked at after another, so what two do only together is not seen.
    Empty with fewer than ``FEWEST`` complete trials, or when all have the same value.
    """
    rows = sweep.complete
    values = [row.value for row in rows if row.value is not None]
    if len(rows) < FEWEST or max(values) == min(values):
        return {}
    found = {key: explained(_groups(rows, key), values) for key in sweep.keys}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def explained(groups: Sequence[Hashable], values: Sequence[float]) -> float:
    """Epsilon squared of values (N) that belong to groups (N)."""
    members: dict[Hashable, list[float]] = {}
    for group, value in zip(groups, values):
        members.setdefault(group, []).append(value)
    mean = math.fsum(values) / len(values)
    total = math.fsum((value - mean) ** 2 for value in values)
    free = len(values) - len(members)
    if len(members) < 2 or free < 1 or total == 0:
        return 0.0
    within = math.fsum((value - math.fsum(own) / len(own)) ** 2 for own in members.values() for value in own)
    return max(0.0, 1 - (within / free) / (total / (len(values) - 1)))


def _groups(rows: Sequence[Row], key: str) -> list[Hashable]:
    """The value of the parameter in each row; numbers of many values by the quarter that they lie in."""
    values = [row.params.get(key) for row in rows]
    if not all(_is_number(value) for value in values) or len(set(values)) <= GROUPS:
        return [repr(value) for value in values]
    ranks = {
        value: place for place, value in enumerate(sorted(values, key=lambda value: float(value or 0)))
    }  # of equal ones the last
    return [min(ranks[value] * GROUPS // len(values), GROUPS - 1) for value in values]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
