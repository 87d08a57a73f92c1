"""Lists of names: text files, and text on standard input, with a path or an address on each line.

Blank lines and lines that begin with # say nothing. A path is looked for beside the list first, then from the folder
in which the command runs.
"""

from __future__ import annotations

import os
from pathlib import Path

from densecap.errors import UserError

LIST_SUFFIX = ".txt"

#: How many bytes tell a text from something else.
_BEGINNING = 4096


def read_name_list(path: Path) -> list[str]:
    """The names in a file. Errors: UserError when it is no list or empty."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    return names_in(data, str(path))


def is_text(data: bytes) -> bool:
    """Whether bytes can be lines of names: no character in them is one that text does not have."""
    beginning = data[:_BEGINNING]
    return not any(byte < 32 and byte not in b"\t\n\r\f" for byte in beginning)


def names_in(data: bytes, where: str) -> list[str]:
    """The names on the lines of a text. Errors: UserError when it is no text or there are none."""
    if not is_text(data):
        raise UserError(f"{where} is no list of names: it has to be text with a path or an address on each line")
    lines = (line.strip() for line in os.fsdecode(data.removeprefix(b"\xef\xbb\xbf")).splitlines())
    names = [line for line in lines if line and not line.startswith("#")]
    if not names:
        raise UserError(f"{where} names nothing: it has to have a path or an address on each line")
    return names
