"""A file in memory of which only what is looked at is read."""

from __future__ import annotations

import mmap
from pathlib import Path

from densecap.errors import UserError


def mapped(path: Path) -> mmap.mmap:
    """The bytes of a file, not yet read. Errors: UserError when there is no such file, or nothing in it.

    Copy on write, only because tensors over memory that cannot be written make PyTorch warn.
    """
    if not path.is_file():
        raise UserError(f"there is no file {path}")
    try:
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    except ValueError:
        raise UserError(f"{path} is empty") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error


def first_bytes(path: Path, count: int = 8) -> bytes:
    """The beginning of a file; nothing where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(count)
    except OSError:
        return b""
