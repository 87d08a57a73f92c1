"""Which file of predictions is meant by what was typed, and what it is called on the page."""

from __future__ import annotations

import os
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from densecap.errors import UserError

#: Looked for in a folder in this order: what ``predict`` and ``eval`` write, and the viewer's data of 2016.
NAMES = (
    "predictions.json",
    "predictions.jsonl",
    "predictions.csv",
    "results.json",
    "densecap/results.json",
    "coco_captions.json",
)


def find_predictions(typed: str | Path) -> Path:
    """A file of predictions, or the first of ``NAMES`` in a folder. Errors: UserError when there is none."""
    path = Path(os.path.expanduser(typed))  # noqa: PTH111 (Path's own fails for ~nobody)
    if path.is_file():
        return path
    if path.is_dir():
        found = next((path / name for name in NAMES if (path / name).is_file()), None)
        if found is None:
            raise UserError(f"the folder {path} holds no predictions: there is none of {', '.join(NAMES)} in it")
        return found
    near = get_close_matches(path.name, [other.name for other in path.parent.glob("*")], n=2)
    raise UserError(f"there is no file or folder {path}" + (f"; did you mean {' or '.join(near)}?" if near else ""))


def titles(paths: Sequence[Path]) -> list[str]:
    """A short name for each file: its folder where its own name says nothing, with more of the path as needed."""
    parts = [_telling(Path(os.path.abspath(path))).parts for path in paths]  # noqa: PTH100 (links keep their name)
    return ["/".join(own[-_depth(own, parts) :]) for own in parts]


def shortest_distinct(names: Sequence[str]) -> list[str]:
    """Each path's last part, with as many folders in front as tell it from the others."""
    parts = [tuple(part for part in name.replace("\\", "/").split("/") if part) or (name,) for name in names]
    counts: dict[tuple[str, ...], int] = {}
    for own in parts:
        for depth in range(1, len(own) + 1):
            counts[own[-depth:]] = counts.get(own[-depth:], 0) + 1
    short = []
    for own in parts:
        depths = range(1, len(own) + 1)
        short.append("/".join(own[-next((d for d in depths if counts[own[-d:]] == 1), 1) :]))
    return short


def _telling(path: Path) -> Path:
    known = {Path(name).name for name in NAMES}
    if path.name in known:
        return path.parent.parent if path.parent.name == "densecap" else path.parent
    return path.with_suffix("") if path.stem else path


def _depth(own: tuple[str, ...], others: Sequence[tuple[str, ...]]) -> int:
    """How many last parts of a path no other path has; one when the paths are the same."""
    depths = range(1, len(own) + 1)
    return next((depth for depth in depths if [other[-depth:] for other in others].count(own[-depth:]) == 1), 1)
