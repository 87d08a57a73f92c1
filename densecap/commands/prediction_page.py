"""``output.formats=[html]``: a page to look at what was predicted, made from the predictions when they are written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from densecap.errors import UserError
from densecap.prediction.writers import place_of

#: Formats that the page is made from, the first that is written.
READ = ("json", "jsonl")

#: Longest side of the photos on the page, in pixels.
LONGEST = 1600


def with_what_a_page_needs(formats: Sequence[str]) -> list[str]:
    """The formats and, where a page is among them, one that it is made from. Errors: UserError without a viewer."""
    formats = list(dict.fromkeys(formats))
    if "html" not in formats:
        return formats
    _exporter()
    return formats if set(READ) & set(formats) else [*formats, READ[0]]


def write_page(formats: Sequence[str], folder: Path) -> None:
    """Make the page in the folder of predictions, in place of an earlier one. Errors: OSError."""
    predictions = next(folder / place_of(name) for name in READ if name in formats)
    _exporter()([predictions], (folder / place_of("html")).parent, max_side=LONGEST)


def _exporter() -> Callable[..., Any]:
    try:
        return import_module("densecap.viewer.export").export_viewer
    except ModuleNotFoundError as error:
        raise UserError(f"output.formats=[html] needs {error.name}, which is not installed here") from error
