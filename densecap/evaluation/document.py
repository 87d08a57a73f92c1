"""The content of a predictions file before its format is known: JSON, JSON lines or a table."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from densecap.errors import UserError


@dataclass(frozen=True)
class Document:
    """``value`` is the parsed JSON; of JSON lines the list of their values; of a table the list of its rows."""

    path: Path
    kind: str  # "json", "lines" or "table"
    value: Any


def read_document(path: Path) -> Document:
    """Errors: UserError when the file is missing, empty, cut off or neither JSON nor a table."""
    text = _text(path)
    if text.lstrip()[:1] not in ("{", "["):
        return Document(path, "table", _rows(path, text))
    try:
        return Document(path, "json", json.loads(text))
    except RecursionError:
        raise UserError(f"{path} is not a predictions file: its lists are nested too deeply") from None
    except json.JSONDecodeError as error:
        if error.msg.startswith("Extra data") and text.lstrip().startswith("{"):
            return Document(path, "lines", _lines(path, text))
        raise _broken(path, text, error) from None


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _text(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"there is no predictions file at {path}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text: byte {error.start} is not") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    if not text.strip():
        raise UserError(f"{path} is empty: it holds no predictions")
    return text


def _lines(path: Path, text: str) -> list[Any]:
    values = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                values.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise _broken(path, line, error, number) from None
    return values


def _broken(path: Path, text: str, error: json.JSONDecodeError, line: int | None = None) -> UserError:
    place = f"line {line or error.lineno}, column {error.colno}"
    if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string"):
        return UserError(f"{path} is cut off: its JSON ends in the middle, at {place}; write or copy it again")
    return UserError(f"{path} is not valid JSON at {place}: {error.msg[0].lower()}{error.msg[1:]}")


def _rows(path: Path, text: str) -> list[dict[str, Any]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        rows = [{**row, "line": reader.line_num} for row in reader]
    except csv.Error as error:
        raise UserError(f"{path} is neither JSON nor a table: line {reader.line_num}: {error}") from None
    if not {"image_id", "caption"} <= set(reader.fieldnames or []):
        raise UserError(f"{path} is neither JSON nor a table with the columns of predictions.csv")
    return rows
