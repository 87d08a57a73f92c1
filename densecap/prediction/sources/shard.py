"""A part of a source, for commands that run on several machines and know nothing of each other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from densecap.errors import UserError

Item = TypeVar("Item")


@dataclass(frozen=True)
class Shard:
    """Every ``count``-th of a row of things, from number ``index`` (from 0) on: all shards have each thing once."""

    index: int
    count: int

    @classmethod
    def read(cls, text: object) -> Shard:
        """What ``i/n`` says; None is everything. Errors: UserError."""
        if text is None:
            return WHOLE
        match = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", str(text))
        if match is None or not int(match[1]) < int(match[2]):
            raise UserError(f"shard={text} is not i/n with i from 0 to n - 1, such as 0/8, 1/8 ... 7/8")
        return cls(int(match[1]), int(match[2]))

    @property
    def folder(self) -> str | None:
        """The name of the folder of its results; None for everything."""
        digits = len(str(self.count - 1))
        return None if self.count == 1 else f"shard-{self.index:0{digits}}-of-{self.count}"

    def of(self, items: Sequence[Item]) -> Sequence[Item]:
        return items[self.index :: self.count]


WHOLE = Shard(0, 1)
