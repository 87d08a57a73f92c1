"""Torch7 files as the package torchfile of PyPI reads them, and whether our reader found the same."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import torchfile

from densecap.conversion.torch7.tensors import Storage, Tensor7
from densecap.conversion.torch7.values import Function, Table, TorchObject


class Reader32(torchfile.T7Reader):
    """torchfile takes ``long`` from the machine it runs on; here it has 4 bytes."""

    def read_long(self) -> int:
        return struct.unpack("<i", self.f.read(4))[0]

    def read_long_array(self, n: int) -> list[int]:
        return list(struct.unpack(f"<{n}i", self.f.read(4 * n)))


def load(path: Path, long_size: int = 8) -> Any:
    """Everything in a file. Its classes of ``long`` numbers are read as of that size."""
    reader = torchfile.T7Reader if long_size == 8 else Reader32
    before = dict(torchfile.type_handlers)
    try:
        dtype = np.dtype(f"<i{long_size}")
        torchfile.add_storage_reader(b"torch.LongStorage", dtype)
        with path.open("rb") as file:
            return reader(file).read_obj()
    finally:
        torchfile.type_handlers.clear()
        torchfile.type_handlers.update(before)


def difference(ours: Any, theirs: Any) -> str | None:
    """Where two readings differ, as a path; None when they are the same, references included."""
    partners: dict[int, int] = {}  # what is one object for us must be one for them, and the other way round
    owners: dict[int, int] = {}
    seen: set[int] = set()
    waiting = [("root", ours, theirs)]
    while waiting:
        path, own, other = waiting.pop()
        if isinstance(own, Table | TorchObject):
            if partners.setdefault(id(own), id(other)) != id(other) or owners.setdefault(id(other), id(own)) != id(own):
                return f"{path}: another object"
            if id(own) in seen:
                continue
            seen.add(id(own))
        if isinstance(own, Table):
            entries = _entries(other)
            if entries is None or len(entries) != len([value for value in own.entries.values() if value is not None]):
                return f"{path}: a table of {len(own)} and {type(other).__name__}"
            strings = {key for key in own.entries if isinstance(key, str | float | bool)}
            for key in strings:
                waiting.append((f"{path}.{key}", own.entries[key], entries.get(_key(key))))
        elif isinstance(own, TorchObject):
            if not isinstance(other, torchfile.TorchObject) or other.torch_typename().decode() != own.class_name:
                return f"{path}: {own.class_name} and {other!r}"
            waiting.append((f"{path}<{own.class_name}>", own.content, other._obj))
        elif not _same(own, other):
            return f"{path}: {own!r} and {other!r}"
    return None


def _entries(table: Any) -> dict[Any, Any] | None:
    if isinstance(table, list):
        return dict(enumerate(table, start=1))
    return dict(table) if isinstance(table, dict) else None


def _key(key: Any) -> Any:
    return key.encode() if isinstance(key, str) else key


def _same(own: Any, other: Any) -> bool:
    if isinstance(own, Tensor7 | Storage):
        array = own.array()
        return isinstance(other, np.ndarray) and array.dtype == other.dtype and np.array_equal(array, other)
    if isinstance(own, Function):
        return isinstance(other, torchfile.LuaFunction) and other.size == own.length
    return own == (other.decode() if isinstance(other, bytes) else other)
