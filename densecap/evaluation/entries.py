"""Taking fields out of what somebody else wrote: every mistake names the file and the entry."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from densecap.errors import UserError


class Entry:
    """One JSON object of a file; ``where`` is where it stands, as "predictions.json: images[3]".

    All methods raise UserError when the field is missing or of another type.
    """

    def __init__(self, value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise UserError(f"{where} should be an object with named fields, it is {shown(value)}")
        self.value, self.where = value, where

    def get(self, key: str) -> Any:
        """The field, whatever it is."""
        if key not in self.value:
            raise UserError(f"{self.where} has no field {key!r}; it has {', '.join(self.value) or 'none'}")
        return self.value[key]

    def text(self, key: str) -> str:
        value = self.get(key)
        if not isinstance(value, str):
            raise self._wrong(key, value, "text")
        return value

    def name(self, key: str) -> str:
        """Text or a whole number, as text: identifiers come as both."""
        value = self.get(key)
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise self._wrong(key, value, "text or a whole number")
        return str(value)

    def number(self, key: str) -> float:
        """A finite number."""
        value = self.get(key)
        if not is_number(value):
            raise self._wrong(key, value, "a finite number")
        return float(value)

    def box(self, key: str) -> list[float]:
        return checked_box(self.get(key), f"{self.where}.{key}")

    def items(self, key: str) -> list[Any]:
        value = self.get(key)
        if not isinstance(value, list):
            raise self._wrong(key, value, "a list")
        return value

    def entries(self, key: str) -> Iterator[Entry]:
        """The objects of a list of objects."""
        for index, item in enumerate(self.items(key)):
            yield Entry(item, f"{self.where}.{key}[{index}]")

    def _wrong(self, key: str, value: Any, wanted: str) -> UserError:
        return UserError(f"{self.where}.{key} should be {wanted}, it is {shown(value)}")


def is_number(value: Any) -> bool:
    """Whether it is a number that is finite; true and false are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number of hundreds of digits
        return False


def checked_box(value: Any, where: str) -> list[float]:
    """Four finite numbers. Errors: UserError."""
    if not isinstance(value, list) or len(value) != 4 or not all(map(is_number, value)):
        raise UserError(f"{where} should be a box of four finite numbers, it is {shown(value)}")
    return [float(number) for number in value]


def shown(value: Any) -> str:
    """A value for a message, cut short."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
