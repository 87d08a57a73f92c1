"""Files that hold a pickle: NumPy's ``.npy`` of objects, and pickles by themselves."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from densecap.conversion.mapped_file import first_bytes, mapped
from densecap.conversion.pickles.machine import Machine
from densecap.conversion.pickles.values import Array, Refused
from densecap.errors import UserError

NPY = b"\x93NUMPY"

#: Longest header of a ``.npy`` file.
HEADER = 10_000


def suits(path: Path) -> bool:
    """Whether a file may hold a pickle of plain values, by its name and first bytes."""
    return first_bytes(path, len(NPY)) == NPY or path.suffix.lower() in (".pkl", ".pickle")


def read(path: str | Path) -> Any:
    """The values of a file: text, numbers, lists, dictionaries, and ``Array``; an array of one object is that.

    Errors: UserError for a file that is missing, broken, or asks for anything else, which is then not done.
    """
    path = Path(path)
    buffer = mapped(path)
    if buffer[: len(NPY)] != NPY:
        return _run(path, Machine(buffer))
    value = _run(path, Machine(buffer, _after_header(path, buffer[:HEADER])))
    return value.items()[0] if isinstance(value, Array) and value.dtype.is_object and value.shape == () else value


def _run(path: Path, machine: Machine) -> Any:
    try:
        return machine.run()
    except (Refused, ValueError, KeyError, TypeError, OverflowError, MemoryError) as error:
        raise UserError(
            f"{path} cannot be read as a pickle of plain values: {error} (at byte {machine.position:,}); nothing in it "
            "was run"
        ) from error


def _after_header(path: Path, content: bytes) -> int:
    """Where the pickle of a ``.npy`` file begins. Errors: UserError for a file of numbers, or a broken header."""
    file = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = header(file, max_header_size=HEADER)
    except (ValueError, EOFError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
        raise UserError(f"{path} has a broken header of NumPy's: {error}") from error
    if not dtype.hasobject:
        raise UserError(f"{path} holds an array of {dtype} {shape}, not a dictionary or list by image id")
    return file.tell()
