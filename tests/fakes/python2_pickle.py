"""A writer of pickles as Python 2 and the NumPy of its days wrote them: ``str`` as bytes, protocol 2."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np


def dumps(value: Any) -> bytes:
    return b"\x80\x02" + _value(value) + b"."


def save_npy(path: Path, value: Any) -> Path:
    """``numpy.save`` of an object: a header, and the pickle of an array of it; a list is an array of its items."""
    array = np.empty(len(value) if isinstance(value, list) else (), object)
    array[...] = value
    header = f"{{'descr': '|O', 'fortran_order': False, 'shape': {array.shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 16) + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + dumps(array))
    return path


def _value(value: Any) -> bytes:
    if isinstance(value, np.ndarray):
        return _array(value)
    if isinstance(value, np.generic):
        raw = _text(value.tobytes().decode("latin-1"))
        return b"cnumpy.core.multiarray\nscalar\n" + _dtype(value.dtype) + raw + b"\x86R"
    if value is None or isinstance(value, bool):
        return {None: b"N", True: b"\x88", False: b"\x89"}[value]
    if isinstance(value, int):
        return b"J" + struct.pack("<i", value) if abs(value) < 2**31 else b"\x8a\x08" + struct.pack("<q", value)
    if isinstance(value, float):
        return b"G" + struct.pack(">d", value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, tuple):
        return b"(" + b"".join(map(_value, value)) + b"t"
    if isinstance(value, list):
        return b"](" + b"".join(map(_value, value)) + b"e"
    if isinstance(value, dict):
        return b"}(" + b"".join(_value(key) + _value(item) for key, item in value.items()) + b"u"
    raise TypeError(type(value))


def _text(text: str) -> bytes:
    content = text.encode("latin-1")
    short = len(content) < 256
    return (b"U" + bytes([len(content)]) if short else b"T" + struct.pack("<i", len(content))) + content


def _dtype(dtype: np.dtype) -> bytes:
    code = "O8" if dtype.hasobject else dtype.str[1:]
    order = "|" if dtype.str[0] == "|" else dtype.str[0]
    state = (3, order, None, None, None, -1, -1, 63 if dtype.hasobject else 0)
    return b"cnumpy\ndtype\n" + _value((code, 0, 1)) + b"R" + _value(state) + b"b"


def _array(array: np.ndarray) -> bytes:
    made = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n" + _value((0,)) + _text("b") + b"\x87R"
    data = _value(list(array.reshape(-1))) if array.dtype.hasobject else _text(array.tobytes().decode("latin-1"))
    state = b"(" + _value(1) + _value(array.shape) + _dtype(array.dtype) + b"\x89" + data + b"t"
    return made + state + b"b"
