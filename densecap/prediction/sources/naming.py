"""The order of file names, and an id for every picture of a run."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

#: What is put behind the id of a video or stream for one of its pictures.
_FRAME = re.compile(r"(.*)-\d{6,}")


def natural_key(path: Path) -> list[tuple[int, int, str]]:
    """A sort key under which numbers inside names compare as numbers."""
    parts = re.split(r"(\d+)", str(path))
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part.casefold()) for part in parts] + [
        (2, 0, str(path))
    ]


def frame_id(base: str, index: int) -> str:
    """The id of picture ``index`` of the video or stream with the id ``base``."""
    return f"{base}-{index:06d}"


def image_ids(paths: Sequence[Path], taken: Iterable[str] = ()) -> list[str]:
    """A distinct id for every file that is also safe as a file name, and none of those that are ``taken``.

    It is the name without its suffix; where two files share that (also when only capitals differ), the name with its
    suffix, then with more and more folders in front, and at last a number.
    """
    depth = max((len(path.parts) for path in paths), default=1)
    ids: list[str | None] = [None] * len(paths)
    used = {name.casefold() for name in taken}
    for count in range(depth + 1):
        waiting = [index for index, value in enumerate(ids) if value is None]
        counts = Counter(_name(paths[index], count).casefold() for index in waiting)
        for index in waiting:
            name = _name(paths[index], count)
            if counts[name.casefold()] == 1 and name.casefold() not in used:
                ids[index] = name
                used.add(name.casefold())
    return [_numbered(paths[index].name, used) if value is None else value for index, value in enumerate(ids)]


def own_ids(ids: Sequence[str | None], groups: Sequence[str]) -> list[str | None]:
    """The ids that pictures bring along, made distinct and safe as file names; None where there is none.

    Of those that several pictures have, the first keeps it; the others get their ``group`` in front or a number behind.
    """
    used: set[str] = set()
    made: list[str | None] = []
    for given, group in zip(ids, groups):
        if given is None:
            made.append(None)
            continue
        safe = re.sub(r"[/\\\0]+", "_", given).lstrip(".") or "_"
        names = (safe, f"{group}_{safe}")
        name = next((name for name in names if name.casefold() not in used), None) or _numbered(safe, used)
        used.add(name.casefold())
        made.append(name)
    return made


def apart_from_frames(ids: Sequence[str], have_frames: Sequence[bool]) -> list[str]:
    """The ids, with numbers behind those of videos and streams whose pictures would be called as others are."""
    used = {name.casefold() for name in ids}
    bases = {match[1] for name in used if (match := _FRAME.fullmatch(name))}
    return [
        _numbered(name, used | bases) if has_frames and name.casefold() in bases else name
        for name, has_frames in zip(ids, have_frames)
    ]


def _name(path: Path, count: int) -> str:
    """The stem of a file for ``count`` 0, else its last ``count`` parts as one name without leading dots."""
    if count == 0:
        return path.stem
    parts = [part for part in path.parts if part != path.anchor]
    return "_".join(parts[-count:]).lstrip("._") or path.name


def _numbered(name: str, taken: set[str]) -> str:
    number = 2
    while f"{name}-{number}".casefold() in taken:
        number += 1
    taken.add(f"{name}-{number}".casefold())
    return f"{name}-{number}"
