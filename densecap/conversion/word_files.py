"""Files of words beside a model: one in a line, or the look-up tables that a script of Python pickled."""

from __future__ import annotations

from pathlib import Path

from densecap.conversion.mapped_file import mapped
from densecap.conversion.pickles import reader
from densecap.errors import UserError

#: Longest file of words, in bytes.
LONGEST = 1 << 26


def read_words(path: Path) -> list[str]:
    """The words by their ids from 0: a line each, or ``idx_to_token`` of a pickle.

    Errors: UserError for a file that is missing, too long, or neither.
    """
    buffer = mapped(path)
    if path.suffix.lower() in (".pkl", ".pickle"):
        return _of_table(path)
    if len(buffer) > LONGEST:
        raise UserError(f"{path} is no file of words: it has {len(buffer):,} bytes")
    try:
        text = buffer[:].decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no file of words: it is not UTF-8 at byte {error.start:,}") from error
    return [line.strip() for line in text.removesuffix("\n").split("\n")]


def _of_table(path: Path) -> list[str]:
    value = reader.read(path)
    table = value.get("idx_to_token") if isinstance(value, dict) else None
    if not isinstance(table, dict):
        raise UserError(f"{path} is no file of words: a pickle of them holds idx_to_token")
    words = [table.get(index) for index in range(len(table))]
    named = [word for word in words if isinstance(word, str)]
    if len(named) < len(words):
        raise UserError(f"{path} is no file of words: idx_to_token has no word for each id from 0")
    return named
