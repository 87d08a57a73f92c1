"""What a Torch7 file holds: tables, objects, tensors that have not been read yet.

Numbers, booleans, strings and nil become float, bool, str and None.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from densecap.conversion.torch7.tensors import Storage, Tensor7


class Table:
    """A Lua table. As in Lua it is equal to itself only, so that tables can be keys; a list has the keys 1, 2, 3 ..."""

    __slots__ = ("entries",)

    def __init__(self) -> None:
        self.entries: dict[Any, Any] = {}

    def get(self, key: Any, default: Any = None) -> Any:
        return self.entries.get(key, default)

    def listed(self) -> list[Any]:
        """The values of the keys 1, 2, 3 ... up to the first that is missing."""
        found: list[Any] = []
        while (value := self.entries.get(len(found) + 1)) is not None:
            found.append(value)
        return found

    def __len__(self) -> int:
        return len(self.entries)


class TorchObject:
    """An object of a class such as nn.Linear: its name, and the one value written for it, a table of fields."""

    __slots__ = ("class_name", "content")

    def __init__(self, class_name: str) -> None:
        self.class_name = class_name
        self.content: Any = None

    def get(self, key: Any, default: Any = None) -> Any:
        return self.content.get(key, default) if isinstance(self.content, Table) else default


@dataclass(frozen=True)
class Function:
    """A Lua function, of which only the length in bytes is kept: it is never run."""

    length: int


@dataclass
class Torch7File:
    """A file that was read: ``root``, the bytes of ``long`` on the machine that wrote it (8 or 4), and how many objects
    of each class it holds."""

    path: Path
    root: Any
    long_size: int
    classes: dict[str, int] = field(default_factory=dict)


def fields_of(value: Any) -> dict[Any, Any]:
    """The entries of a table or an object, empty for anything else."""
    content = value.content if isinstance(value, TorchObject) else value
    return content.entries if isinstance(content, Table) else {}


def reachable(root: Any) -> Iterator[Any]:
    """Every table, object and tensor below ``root`` once, however they refer to one another."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        value = waiting.pop()
        if not isinstance(value, Table | TorchObject | Tensor7) or id(value) in seen:
            continue
        seen.add(id(value))
        yield value
        if isinstance(value, TorchObject):
            waiting.append(value.content)
        elif isinstance(value, Table):
            waiting += [*value.entries, *value.entries.values()]


def in_words(value: Any) -> str:
    """What something is, as an error says it: "a torch.FloatTensor of 512 x 4096"."""
    if value is None:
        return "nothing"
    if isinstance(value, Tensor7):
        return f"a {value.class_name} of {' x '.join(map(str, value.shape)) or 'no size'}"
    if isinstance(value, TorchObject):
        parts = value.get("modules")
        return f"a {value.class_name}" + (f" of {len(parts.listed())} modules" if isinstance(parts, Table) else "")
    if isinstance(value, Table):
        names = [key for key in value.entries if isinstance(key, str)][:8]
        return f"a table with {', '.join(names)}" if names else f"a table of {len(value)}"
    if isinstance(value, Storage):
        return f"a {value.class_name} of {value.length}"
    return f"{value!r}"[:60]
