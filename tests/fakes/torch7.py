"""A writer of Torch7's binary files, as torch.save of File.lua writes them: indices, versions, shared references."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from io import BufferedWriter
from pathlib import Path
from typing import Any

import numpy as np

SUFFIX = {
    "f4": "Float",
    "f8": "Double",
    "f2": "Half",
    "i8": "Long",
    "i4": "Int",
    "i2": "Short",
    "i1": "Char",
    "u1": "Byte",
}


@dataclass(eq=False)
class Obj:
    """An object of a Torch class; ``content`` is written for it, usually its fields."""

    name: str
    content: Any = field(default_factory=dict)


@dataclass(eq=False)
class Lua:
    """A function: its byte code and what it refers to. ``tag`` 8 is written today, 7 and 6 were before."""

    code: bytes
    upvalues: Any = None
    tag: int = 8


@dataclass(eq=False)
class Store:
    """A storage; ``kind`` replaces what its type gives, as "Cuda". An int stands for so many zeros."""

    data: np.ndarray | int
    kind: str | None = None
    prefix: str = "torch."

    @property
    def length(self) -> int:
        return self.data if isinstance(self.data, int) else len(self.data)

    @property
    def name(self) -> str:
        return self.kind or ("Float" if isinstance(self.data, int) else SUFFIX[self.data.dtype.str[1:]])


@dataclass(eq=False)
class View:
    """A tensor: sizes and strides (None: contiguous) of a storage, ``start`` from 0."""

    store: Store | None
    shape: tuple[int, ...]
    start: int = 0
    strides: tuple[int, ...] | None = None


def tensor(array: Any, kind: str | None = None) -> View:
    array = np.asarray(array)
    return View(Store(np.ascontiguousarray(array).reshape(-1), kind), array.shape)


class Pool:
    """Many tensors in one storage, as getParameters leaves them; between them lies a number that belongs to none."""

    def __init__(self, kind: str | None = None) -> None:
        self.pieces: list[np.ndarray] = []
        self.length = 0
        self.store = Store(np.empty(0, np.float32), kind)

    def add(self, array: np.ndarray) -> View:
        view = View(self.store, array.shape, self.length)
        self.pieces += [np.asarray(array, np.float32).reshape(-1), np.array([12345.0], np.float32)]
        self.length += array.size + 1
        return view

    def zeros(self, shape: tuple[int, ...]) -> View:
        """A gradient; such a pool holds nothing else and takes no room on the disk."""
        view = View(self.store, shape, self.length)
        self.length += int(np.prod(shape))
        self.store.data = self.length
        return view

    def close(self) -> None:
        if self.pieces:
            self.store.data = np.concatenate(self.pieces)


class Writer:
    def __init__(self, file: BufferedWriter, long_size: int = 8, version: str | None = "V 1") -> None:
        self.file, self.version = file, version
        self.long = "q" if long_size == 8 else "i"
        self.indices: dict[int, int] = {}
        self.alive: list[Any] = []  # so that no id is used twice

    def ints(self, *values: int) -> None:
        self.file.write(struct.pack(f"<{len(values)}i", *values))

    def longs(self, *values: int) -> None:
        self.file.write(struct.pack(f"<{len(values)}{self.long}", *values))

    def text(self, value: str | bytes) -> None:
        content = value.encode() if isinstance(value, str) else value
        self.ints(len(content))
        self.file.write(content)

    def write(self, value: Any) -> None:
        if value is None:
            self.ints(0)
        elif isinstance(value, bool):
            self.ints(5, int(value))
        elif isinstance(value, int | float | np.number):
            self.ints(1)
            self.file.write(struct.pack("<d", float(value)))
        elif isinstance(value, str | bytes):
            self.ints(2)
            self.text(value)
        elif isinstance(value, Lua) and value.tag == 6:
            self.ints(6)
            self.text(value.code)
            self.write(value.upvalues)
        else:
            self._referenced(value)

    def _referenced(self, value: Any) -> None:
        tag = 3 if isinstance(value, dict | list | tuple | Pairs) else value.tag if isinstance(value, Lua) else 4
        known = self.indices.get(id(value))
        if known is not None:
            self.ints(tag, known)
            return
        self.indices[id(value)] = index = len(self.indices) + 1
        self.alive.append(value)
        self.ints(tag, index)
        if isinstance(value, Lua):
            self.text(value.code)
            self.write(value.upvalues)
        elif tag == 3:
            self._table(value)
        elif isinstance(value, View):
            self._tensor(value)
        elif isinstance(value, Store):
            self._storage(value)
        else:
            self._class(value.name)
            self.write(value.content)

    def _table(self, value: Any) -> None:
        items = value.items() if isinstance(value, dict | Pairs) else enumerate(value, start=1)
        items = [(key, item) for key, item in items if item is not None]
        self.ints(len(items))
        for key, item in items:
            self.write(key)
            self.write(item)

    def _class(self, name: str) -> None:
        if self.version is not None:
            self.text(self.version)
        self.text(name)

    def _tensor(self, value: View) -> None:
        name = "Float" if value.store is None else value.store.name
        self._class(f"torch.{name}Tensor")
        strides = value.strides or tuple(int(np.prod(value.shape[axis + 1 :])) for axis in range(len(value.shape)))
        self.ints(len(value.shape))
        self.longs(*value.shape)
        self.longs(*strides)
        self.longs(value.start + 1)
        self.write(value.store)

    def _storage(self, value: Store) -> None:
        self._class(f"torch.{value.name}Storage")
        self.longs(value.length)
        if isinstance(value.data, int):
            self.file.seek(4 * value.data, 1)  # a hole
            self.file.truncate()
        elif value.data.dtype.str[1:] == "i8" and self.long == "i":
            self.file.write(value.data.astype("<i4").tobytes())
        else:
            self.file.write(value.data.tobytes())


@dataclass(eq=False)
class Pairs:
    """A table whose keys may be tables; ``items`` gives its pairs."""

    pairs: list[tuple[Any, Any]] = field(default_factory=list)

    def items(self) -> list[tuple[Any, Any]]:
        return self.pairs


def save(path: Path, value: Any, long_size: int = 8, version: str | None = "V 1") -> Path:
    with path.open("wb") as file:
        Writer(file, long_size, version).write(value)
    return path
