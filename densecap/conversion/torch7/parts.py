"""Objects of a Torch7 file whose parts follow: what is done with each, and what comes of it in the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from densecap.conversion.torch7.cursor import Torch7Error
from densecap.conversion.torch7.tensors import Storage, Tensor7
from densecap.conversion.torch7.values import Function, Table, TorchObject

#: Makes the error of a broken file from a few words.
Complain = Callable[[str], Torch7Error]


class Incomplete:
    """An object of which ``missing`` values still have to be read; ``result`` is asked for when there are none."""

    __slots__ = ("missing",)

    def __init__(self, missing: int) -> None:
        self.missing = missing

    def accept(self, value: Any) -> None:
        raise NotImplementedError

    def result(self) -> Any:
        raise NotImplementedError


class IncompleteTable(Incomplete):
    """Keys and values by turns."""

    __slots__ = ("table", "key", "has_key", "error")

    def __init__(self, table: Table, count: int, error: Complain) -> None:
        super().__init__(2 * count)
        self.table, self.error = table, error
        self.key: Any = None
        self.has_key = False

    def accept(self, value: Any) -> None:
        if self.has_key:
            self.table.entries[self.key] = value
        elif value is None:
            raise self.error("a table has nil as a key")
        self.key, self.has_key = value, not self.has_key

    def result(self) -> Table:
        return self.table


class IncompleteObject(Incomplete):
    """One value, the fields of an object."""

    __slots__ = ("made",)

    def __init__(self, made: TorchObject) -> None:
        super().__init__(1)
        self.made = made

    def accept(self, value: Any) -> None:
        self.made.content = value

    def result(self) -> TorchObject:
        return self.made


class IncompleteFunction(Incomplete):
    """One value, what the function refers to; nobody needs it."""

    __slots__ = ("made",)

    def __init__(self, made: Function) -> None:
        super().__init__(1)
        self.made = made

    def accept(self, value: Any) -> None:
        pass

    def result(self) -> Function:
        return self.made


class IncompleteTds(Incomplete):
    """tds.Hash and tds.Vec: the type of what they hold, which nobody needs, then keys and values or values alone."""

    __slots__ = ("made", "entries", "begun", "is_hash")

    def __init__(self, made: TorchObject, count: int, error: Complain) -> None:
        self.is_hash = made.class_name == "tds.Hash"
        super().__init__(1 + (2 * count if self.is_hash else count))
        made.content = Table()
        self.made, self.begun = made, False
        self.entries = IncompleteTable(made.content, count, error)

    def accept(self, value: Any) -> None:
        if self.begun:
            if not self.is_hash:
                self.entries.accept(float(len(self.made.content) + 1))
            self.entries.accept(value)
        self.begun = True

    def result(self) -> TorchObject:
        return self.made


class IncompleteTensor(Incomplete):
    """One value, the storage; ``remember`` is given the tensor. Errors: Torch7Error when it would leave its storage."""

    __slots__ = ("tensor", "error", "remember")

    def __init__(self, tensor: Tensor7, error: Complain, remember: Callable[[Tensor7], Tensor7]) -> None:
        super().__init__(1)
        self.tensor, self.error, self.remember = tensor, error, remember

    def accept(self, value: Any) -> None:
        if isinstance(value, Storage):
            self.tensor = replace(self.tensor, storage=value)

    def result(self) -> Tensor7:
        made = self.tensor
        if min((*made.shape, *made.strides), default=0) < 0:
            raise self.error(f"a {made.class_name} has the size {made.shape} and the strides {made.strides}")
        stored = made.storage.length if made.storage else 0
        if made.size and not 0 <= made.start <= made.last < stored:
            where = f"{made.start + 1:,} to {made.last + 1:,}"
            raise self.error(f"a {made.class_name} of {made.shape} shows the numbers {where} of {stored:,}")
        return self.remember(made)
