"""What METEOR is asked about: candidates, each with its references."""

from __future__ import annotations

from collections.abc import Sequence

from densecap.errors import UserError

Item = tuple[str, Sequence[str]]


def check_items(items: Sequence[Item]) -> None:
    """Errors: UserError naming the first entry whose candidate is no text or that lacks references."""
    for number, item in enumerate(items):
        candidate, references = item
        if not isinstance(candidate, str):
            raise UserError(f"entry {number} for METEOR: the candidate is {candidate!r}, give text")
        if isinstance(references, str) or len(references) == 0:
            raise UserError(f"entry {number} for METEOR: give a list of at least one reference, not {references!r}")
        for reference in references:
            if not isinstance(reference, str):
                raise UserError(f"entry {number} for METEOR: a reference is {reference!r}, give text")
