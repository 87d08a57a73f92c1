"""Writing what a conversion gave."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from densecap.conversion.converted import Converted
from densecap.errors import UserError


def save_made(made: Converted, path: Path) -> None:
    """What a conversion gave, whatever kind of file it is. Errors: UserError when it cannot be written."""
    if made.write is None:
        save(made.content, path)
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        made.write(path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error


def save(content: dict[str, Any], path: Path) -> None:
    """Under a temporary name first, so that ``path`` is complete or not there. Errors: UserError when that fails."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(content, temporary)
        temporary.replace(path)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as the latter
        reason = getattr(error, "strerror", None) or str(error).strip().splitlines()[0]
        raise UserError(f"cannot write {path}: {reason}") from error
    finally:
        with suppress(OSError):
            temporary.unlink()
