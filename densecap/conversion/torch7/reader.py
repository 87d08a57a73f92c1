"""The reader of Torch7's binary format (File.lua and generic/Tensor.c of torch/torch7).

An object is an int32 tag and what belongs to it. Tables, torch objects and functions have an int32 index first; one
that was read before is only referred to. A torch object is a version ("V 1"), the name of its class and its content:
tensors are int32 dimensions, sizes, strides, a start counted from 1 (``long`` each) and a storage; storages a length
(``long``) and raw numbers; objects of all other classes one table of fields. Nothing is run: Lua functions are skipped.

Objects nest without limit in a file, so what is not complete waits in a list and not on Python's stack, and the memory
that everything takes is counted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from densecap.conversion.mapped_file import first_bytes, mapped
from densecap.conversion.torch7.cursor import Cursor, Torch7Error
from densecap.conversion.torch7.parts import (
    Incomplete,
    IncompleteFunction,
    IncompleteObject,
    IncompleteTable,
    IncompleteTds,
    IncompleteTensor,
)
from densecap.conversion.torch7.tensors import Storage, Tensor7, element_type
from densecap.conversion.torch7.values import Function, Table, Torch7File, TorchObject
from densecap.errors import UserError

NIL, NUMBER, STRING, TABLE, TORCH, BOOLEAN = range(6)
#: Functions: without an index, as very old versions wrote them, and with one.
FUNCTION, LEGACY_RECURSIVE_FUNCTION, RECURSIVE_FUNCTION = 6, 7, 8

#: Bytes that the objects of a file may take in memory, tensors' numbers not counted; DenseCap's take about 0.1 GB.
MEMORY_LIMIT = 1 << 29
#: What an object, an entry of a table and the description of a tensor take, roughly.
OBJECT, ENTRY, TENSOR = 300, 100, 1000

MAX_DIMENSIONS, MAX_NAME = 32, 256


def read(path: str | Path) -> Torch7File:
    """The objects of a file; the numbers of a tensor are read when they are asked for.

    Errors: UserError when the file is missing, in another format, incomplete or broken. Memory and time are bounded by
    its size, whatever it says about itself.
    """
    path = Path(path)
    buffer = mapped(path)
    _check_beginning(path)
    failures: list[tuple[int, Torch7Error]] = []
    for long_size in (8, 4):
        reader = _Reader(Cursor(str(path), buffer, long_size))
        try:
            root = reader.read()
            if long_size == 4 and reader.cursor.left:  # then the numbers made sense by chance
                raise reader.cursor.error("something follows the end")
            return Torch7File(path, root, long_size, reader.classes)
        except Torch7Error as error:
            failures.append((reader.tensors, error))
    raise max(failures, key=lambda failure: failure[0])[1]  # of the size that made sense for longer


def suits(path: Path) -> bool:
    """Whether a file may be one of Torch7's: by its name, or because it begins with a table or an object."""
    return path.suffix.lower() == ".t7" or first_bytes(path, 4) in (b"\3\0\0\0", b"\4\0\0\0")


def _check_beginning(path: Path) -> None:
    first = first_bytes(path)
    if first.startswith(b"PK\x03\x04"):
        raise UserError(f"{path} is a zip archive: unpack it, and give the .t7 file in it")
    if len(first) > 1 and first[:1] in b"0123456789" and first[1:2] in b"\r\n":
        raise UserError(f"{path} is a Torch7 file in text form: save it again in binary form with torch.save(path, x)")


class _Reader:
    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self.classes: dict[str, int] = {}
        self.tensors = 0  # complete and within their storage
        self._known: dict[int, Any] = {}  # by index
        self._strings: dict[str, str] = {}
        self._incomplete: list[Incomplete] = []
        self._memory = 0

    def read(self) -> Any:
        value = self._next()
        while self._incomplete or isinstance(value, Incomplete):
            if isinstance(value, Incomplete):
                self._incomplete.append(value)
            else:
                self._incomplete[-1].accept(value)
            last = self._incomplete[-1]
            if last.missing:
                last.missing -= 1
                value = self._next()
            else:
                value = self._incomplete.pop().result()
        return value

    def _next(self) -> Any:
        """The next value, or what it is to become when its parts follow."""
        cursor = self.cursor
        tag = cursor.integer("the type of an object")
        if tag == NUMBER:
            return cursor.double()
        if tag == STRING:
            return self._string()
        if tag == BOOLEAN:
            return cursor.integer("a boolean") == 1
        if tag == NIL:
            return None
        if tag == FUNCTION:
            return self._function(None)
        if tag not in (TABLE, TORCH, LEGACY_RECURSIVE_FUNCTION, RECURSIVE_FUNCTION):
            raise cursor.error(f"there is no type of object {tag}", cursor.position - 4)
        index = cursor.integer("the index of an object")
        if index in self._known:
            return self._known[index]
        if tag == TABLE:
            return self._table(index)
        return self._torch(index) if tag == TORCH else self._function(index)

    def _string(self) -> str:
        text = self.cursor.string()
        self._take(len(text))
        return self._strings.setdefault(text, text) if len(text) < 64 else text

    def _table(self, index: int) -> Incomplete:
        count = self._count(smallest_entry=8)
        return IncompleteTable(self._remember(index, Table()), count, self.cursor.error)

    def _count(self, smallest_entry: int) -> int:
        """The number of entries that follow; errors: Torch7Error for more than there is room for in the file."""
        count = self.cursor.integer("the length of a table")
        if not 0 <= count * smallest_entry <= self.cursor.left:
            raise self.cursor.error(f"a table would have {count:,} entries", self.cursor.position - 4)
        self._take(count * ENTRY)
        return count

    def _function(self, index: int | None) -> Incomplete:
        length = self.cursor.integer("the length of a function")
        self.cursor.skip(length, "a function")
        return IncompleteFunction(self._remember(index, Function(length)))

    def _torch(self, index: int) -> Any:
        name = self._name()
        if name.startswith("V "):  # very old files have no version
            name = self._name()
        self.classes[name] = self.classes.get(name, 0) + 1
        numbers = element_type(name, self.cursor.long_size)
        if numbers is None:
            made = self._remember(index, TorchObject(name))
            if name in ("tds.Hash", "tds.Vec"):
                return IncompleteTds(made, self._count(smallest_entry=4), self.cursor.error)
            return IncompleteObject(made)
        if numbers[0] == "Tensor":
            return self._tensor(index, name)
        (length,) = self.cursor.longs(1, f"the length of a {name}")
        start = self.cursor.skip(length * numbers[1].itemsize, f"a {name} of {length:,}")
        return self._remember(index, Storage(name, self.cursor.buffer, start, length, numbers[1]))

    def _name(self) -> str:
        start = self.cursor.position
        name = self.cursor.string(MAX_NAME)
        if not name.isprintable():
            raise self.cursor.error(f"a class would be called {name[:20]!r}", start)
        return name

    def _tensor(self, index: int, name: str) -> Incomplete:
        start = self.cursor.position
        dimensions = self.cursor.integer("the dimensions of a tensor")
        if not 0 <= dimensions <= MAX_DIMENSIONS:
            raise self.cursor.error(f"a {name} would have {dimensions} dimensions", start)
        shape = self.cursor.longs(dimensions, "the size of a tensor")
        strides = self.cursor.longs(dimensions, "the strides of a tensor")
        (first,) = self.cursor.longs(1, "the start of a tensor")
        self._take(TENSOR)
        return IncompleteTensor(
            Tensor7(name, shape, strides, first - 1, None),
            error=lambda what: self.cursor.error(what, start),
            remember=lambda tensor: self._complete(index, tensor),
        )

    def _complete(self, index: int, tensor: Tensor7) -> Tensor7:
        self.tensors += 1
        return self._remember(index, tensor)

    def _remember(self, index: int | None, value: Any) -> Any:
        if index is not None:
            self._known[index] = value
        self._take(OBJECT)
        return value

    def _take(self, memory: int) -> None:
        self._memory += memory
        if self._memory > MEMORY_LIMIT:
            raise UserError(f"{self.cursor.path} holds more objects than any model has: it is not read any further")
