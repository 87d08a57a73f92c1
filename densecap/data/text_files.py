"""Reading what others wrote: text and JSON, with one sentence for a file that is something else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from densecap.errors import UserError


def read_text(path: Path) -> str:
    """The content of a UTF-8 file, without a byte order mark; UserError for another encoding or an unreadable file."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 (byte {error.start:,}): convert it, or fetch it again") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None


def read_json(path: Path) -> Any:
    """The value in a JSON file; UserError when it is none."""
    try:
        return json.loads(read_text(path))
    except ValueError as error:
        raise UserError(f"{path} is not JSON ({error}): fetch it again") from None
