"""The nearest valid names to a mistyped one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

#: How many valid names a sentence lists before it says "and N more".
LISTED = 12


def nearest(name: str, valid: Iterable[str], count: int = 3) -> list[str]:
    """Up to ``count`` of the valid names that look like ``name``, best first; upper and lower case count the same."""
    by_lower = {candidate.lower(): candidate for candidate in valid}
    return [by_lower[match] for match in get_close_matches(name.lower(), by_lower, n=count, cutoff=0.6)]


def suggestion(found: Sequence[str], prefix: str = "") -> str:
    """`` (did you mean a or b?)`` as a part of a sentence, empty when nothing was found."""
    return f" (did you mean {joined([prefix + name for name in found])}?)" if found else ""


def hint(name: str, valid: Iterable[str]) -> str:
    """The nearest names when there are any, otherwise all of them: the end of a sentence."""
    valid = list(valid)
    return suggestion(nearest(name, valid)) or f"; valid are {listing(valid)}"


def joined(names: Sequence[str]) -> str:
    """``a``, ``a or b``, ``a, b or c``."""
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def listing(names: Iterable[str]) -> str:
    """All the names, or the first dozen and how many more there are."""
    names = list(names)
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return (", ".join(names[:LISTED]) or "none") + more
