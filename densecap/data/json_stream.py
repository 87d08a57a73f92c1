"""Reading a JSON array of objects one by one: Visual Genome's region descriptions would fill gigabytes at once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from densecap.errors import UserError

_SEPARATORS = re.compile(r"[\s,]*")
#: An error this far before the end of what was read is not caused by the reading having stopped there.
_LONGEST_STRING = 1 << 16


def iterate_json_array(path: Path, chunk_size: int = 1 << 22) -> Iterator[Any]:
    """The elements of the JSON array in a file, reading ``chunk_size`` characters at a time.

    UserError when it is not an array or is cut off.
    """
    decoder = json.JSONDecoder()
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        buffer = file.read(max(chunk_size, 64)).lstrip()
        if not buffer.startswith("["):
            raise UserError(f"{path} does not begin like a JSON array: download it again")
        position, consumed = 1, 0
        while True:
            position = _SEPARATORS.match(buffer, position).end()  # type: ignore[union-attr]
            if buffer.startswith("]", position):
                return
            try:
                value, position = decoder.raw_decode(buffer, position)
            except json.JSONDecodeError as error:
                more = "" if error.pos + _LONGEST_STRING < len(buffer) else file.read(chunk_size)
                if not more:
                    where = f"{error.msg} at character {consumed + error.pos}"
                    raise UserError(f"{path} is not complete JSON ({where}): download it again") from None
                consumed += position
                buffer, position = buffer[position:] + more, 0
                continue
            yield value
