"""A place in the objects of a Torch7 file that knows its path: errors say what was looked for and what is there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from densecap.conversion.torch7.tensors import Tensor7
from densecap.conversion.torch7.values import Table, TorchObject, fields_of, in_words
from densecap.errors import UserError

#: Modules that are looked at below one, so that a container that holds itself comes to an end.
MAX_MODULES = 10_000


@dataclass(frozen=True)
class Place:
    """``value`` at ``path`` ("model.nets.conv_net1") of ``file``."""

    file: Path
    path: str
    value: Any

    def error(self, what: str) -> UserError:
        where = f"in {self.path}" if self.path else "at the top"
        return UserError(f"{self.file} is not as expected: {where} {what}")

    def has(self, key: str | int) -> bool:
        return fields_of(self.value).get(key) is not None

    def child(self, key: str | int) -> Place:
        """The field or entry of that name; errors: UserError that lists what there is instead."""
        value = fields_of(self.value).get(key)
        if value is None:
            raise self.error(f"there should be {key!r}, but it is {in_words(self.value)}{self._names()}")
        return Place(self.file, f"{self.path}.{key}".lstrip("."), value)

    def _names(self) -> str:
        names = sorted(key for key in fields_of(self.value) if isinstance(key, str))
        return f" with {', '.join(names[:12])}" if names and not isinstance(self.value, Table) else ""

    def find(self, *path: str | int) -> Place:
        place = self
        for key in path:
            place = place.child(key)
        return place

    @property
    def class_name(self) -> str:
        return self.value.class_name if isinstance(self.value, TorchObject) else ""

    def modules(self) -> list[Place]:
        """The modules of a container; a module that is none has none."""
        parts = fields_of(self.value).get("modules")
        listed = parts.listed() if isinstance(parts, Table) else []
        return [Place(self.file, f"{self.path}.modules[{index}]", part) for index, part in enumerate(listed, start=1)]

    def leaves(self) -> list[Place]:
        """All modules below this one that hold no others, in order."""
        found: list[Place] = []
        waiting = [self]
        for _ in range(MAX_MODULES):
            if not waiting:
                return found
            place = waiting.pop()
            inner = place.modules()
            waiting += reversed(inner)
            if not inner:
                found.append(place)
        raise self.error(f"there are more than {MAX_MODULES:,} modules")

    def weighted(self, count: int, what: str) -> list[Place]:
        """The modules below this one that hold a ``weight``; errors: UserError unless there are ``count``."""
        found = [place for place in self.leaves() if isinstance(fields_of(place.value).get("weight"), Tensor7)]
        if len(found) != count:
            listed = ", ".join(f"{place.class_name} {_shape(place)}" for place in found[:20]) or "none"
            raise self.error(f"{what} should be {count} layers with weights, but there are {len(found)}: {listed}")
        return found

    def tensor(self, key: str | int, *shape: int | None) -> np.ndarray:
        """The tensor of that name as float32, a view of the file where it is that already; None is any size.

        Sizes of 1 do not count, and a matrix of flattened filters is as good as the filters (SpatialConvolutionMM).
        Errors: UserError for another shape, and for values that are not numbers.
        """
        place = self.child(key)
        if not isinstance(place.value, Tensor7):
            raise place.error(f"there should be a tensor, but it is {in_words(place.value)}")
        array = place.value.array()
        wanted = _fitted(array.shape, shape)
        if wanted is None:
            sizes = " x ".join("any" if size is None else str(size) for size in shape)
            raise place.error(f"there should be a tensor of {sizes}, but it is {in_words(place.value)}")
        return array.astype(np.float32, copy=False).reshape(wanted)

    def number(self, key: str | int, default: float) -> float:
        """The number of that name, or the default when there is none that is finite."""
        value = fields_of(self.value).get(key)
        return value if isinstance(value, float) and math.isfinite(value) else default


def _fitted(found: tuple[int, ...], wanted: tuple[int | None, ...]) -> tuple[int, ...] | None:
    """The wanted shape with its unknown sizes, if an array of the shape ``found`` can be seen so."""
    if len(found) == len(wanted) and all(want in (None, size) for size, want in zip(found, wanted)):
        return found
    known = tuple(size for size in wanted if size is not None)
    if len(known) < len(wanted):  # with an unknown size only the very number of dimensions will do
        return None
    flattened = (known[0], int(np.prod(known[1:], dtype=np.int64))) if known else ()
    significant = tuple(size for size in known if size != 1)
    return known if found == flattened or tuple(size for size in found if size != 1) == significant else None


def _shape(place: Place) -> str:
    return " x ".join(map(str, place.value.get("weight").shape))
