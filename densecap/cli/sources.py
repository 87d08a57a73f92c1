"""Several files on one command line: ``source=[a.jpg,b.jpg]``, or ``source=`` and bare words again and again."""

from __future__ import annotations

import os
from collections.abc import Sequence

from densecap.cli.quoting import is_quoted, quote_text

#: Keys that take several values; each may be a path, a glob or an address.
COLLECTED = frozenset({"source", "path", "compare"})


def collect(key: str, values: Sequence[str]) -> str:
    """All values typed for one key as one value of Hydra's grammar: text for one, a list for several."""
    if len(values) == 1 and listed(values[0]) is None:
        return quote_text(key, values[0])
    lists = [(listed(value), value) for value in values]
    parts = [part for found, value in lists for part in ([value] if found is None else found)]
    return f"[{','.join(quote_text(key, part) for part in parts)}]"


def listed(value: str) -> list[str] | None:
    """The parts of ``[a.jpg, b (1).jpg, 'c,d.jpg']``; None when this is no list, or the name of a file.

    Parts are separated by commas; a part with a comma in its name stands in quotes. Spaces around parts are dropped.
    """
    if not (value.startswith("[") and value.endswith("]")) or os.path.lexists(value):
        return None
    parts: list[str] = []
    current = ""
    for piece in value[1:-1].split(","):
        current = f"{current},{piece}" if current else piece.strip()
        if not _is_open(current.strip()):
            parts.append(current.strip())
            current = ""
    return [part for part in [*parts, current.strip()] if part]


def _is_open(part: str) -> bool:
    """Whether the part begins with a quote that has not been closed yet (and so a comma belongs to it)."""
    return part[:1] in ("'", '"') and not is_quoted(part)
