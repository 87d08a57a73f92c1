"""Standard input as a source: the bytes of one picture, or the names of others, told apart by the first bytes."""

from __future__ import annotations

import sys

from densecap.errors import UserError
from densecap.prediction.sources.found import listed_on_stdin
from densecap.prediction.sources.name_lists import is_text, names_in
from densecap.prediction.sources.named import Named
from densecap.prediction.sources.single import PictureInMemory

NAME = "standard input"


def read_standard_input() -> PictureInMemory | list[Named]:
    """All of it, read to its end. Errors: UserError when it is empty or closed."""
    data = b"" if sys.stdin is None else sys.stdin.buffer.read()
    if not data:
        raise UserError("standard input is empty: source=- takes a picture, or a path or an address on each line")
    return listed_on_stdin(names_in(data, NAME)) if is_text(data) else PictureInMemory(NAME, data)
