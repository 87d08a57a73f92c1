"""Tensors by name in a safetensors file: read within bounds, written under a temporary name."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from densecap.errors import UserError

#: Bytes of a header at most; the longest of a real model, with a thousand tensors, has some 100 kB.
MAX_HEADER = 1 << 24


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors on the CPU. Errors: UserError when the file is missing, damaged, cut off or something else."""
    read_header(path)
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise UserError(f"{path} is damaged or cut off ({_reason(error)}): copy it again") from error


def read_header(path: Path) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor, without reading any; errors as for ``read_tensors``."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > size - 8 or length > MAX_HEADER:
                told = f"its header would have {length} bytes, the file has {size}"
                raise UserError(f"{path} is no safetensors file, or cut off: {told}")
            header = json.loads(file.read(length))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is no safetensors file: its header is no JSON") from error
    if not isinstance(header, dict):
        raise UserError(f"{path} is no safetensors file: its header is no JSON object")
    header.pop("__metadata__", None)
    try:
        ends = [int(entry["data_offsets"][1]) for entry in header.values()]
        shapes = {name: tuple(int(side) for side in entry["shape"]) for name, entry in header.items()}
    except (TypeError, KeyError, ValueError, IndexError, OverflowError) as error:
        raise UserError(f"{path} is no safetensors file: its header describes no tensors") from error
    if max(ends, default=0) != size - 8 - length:
        told = f"its tensors have {max(ends, default=0)} bytes, and {size - 8 - length} are there"
        raise UserError(f"{path} is cut off or damaged: {told}; copy it again")
    return shapes


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Errors: OSError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    plain = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    try:
        save_file(plain, temporary, metadata={"format": "pt"})
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _reason(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
