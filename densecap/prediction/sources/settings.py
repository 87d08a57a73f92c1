"""How videos, streams, the screen and addresses are read: the node ``frames`` of the predict command."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from densecap.errors import UserError


@dataclass(frozen=True)
class SourceSettings:
    """Which pictures of a video or stream are taken, and how long and how much is waited for.

    ``start`` (from 0), ``stride`` and ``max`` choose the pictures of each video, stream and screen by number; ``max``
    None takes all. Of a live one the newest picture is taken whenever the model is ready, those between are dropped;
    ``buffered`` takes every one in order. ``interval`` is the least number of seconds between two that are taken of a
    live one; None is 1 for the screen and 0 for streams. ``timeout`` is the seconds without an answer after which a
    server is given up, ``retries`` how often in a row a stream that broke off is opened again, ``max_bytes`` the size
    up to which a picture is fetched. Errors: UserError for a value out of range.
    """

    stride: int = 1
    start: int = 0
    max: int | None = None
    buffered: bool = False
    interval: float | None = None
    timeout: float = 10.0
    retries: int = 3
    max_bytes: int = 64 * 2**20

    def __post_init__(self) -> None:
        for name, least in (("stride", 1), ("start", 0), ("max", 1), ("retries", 0), ("max_bytes", 1)):
            value = getattr(self, name)
            if not (name == "max" and value is None) and not (_is(int, value) and value >= least):
                raise UserError(f"frames.{name} is a whole number of at least {least}, got {value}")
        if not isinstance(self.buffered, bool):
            raise UserError(f"frames.buffered is true or false, got {self.buffered}")
        if self.interval is not None and not (_is(int | float, self.interval) and 0 <= self.interval < math.inf):
            raise UserError(f"frames.interval is a number of seconds, or null, got {self.interval}")
        if not (_is(int | float, self.timeout) and 0 < self.timeout < math.inf):
            raise UserError(f"frames.timeout is a number of seconds above 0, got {self.timeout}")

    def takes(self, index: int) -> bool:
        """Whether picture ``index`` of a video or stream is wanted."""
        return index >= self.start and (index - self.start) % self.stride == 0

    def count_of(self, total: int) -> int:
        """How many are taken of a video with so many pictures."""
        taken = len(range(self.start, total, self.stride))
        return taken if self.max is None else min(taken, self.max)


def _is(kind: Any, value: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


#: Nothing but defaults.
DEFAULTS = SourceSettings()
