"""Which entries of two files are about one image.

Both the id and the name of the file are tried, the surest first: the same file and id, the same path, the same id where
the names do not contradict, the same name, then the name without its ending against the other's id, and the number that
a name ends in. What two entries of a file share tells nothing. Frames of a video are images of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from pathlib import PurePosixPath

from densecap.evaluation.joining import number_in
from densecap.viewer.records import Entry

#: What an entry is found by; None where it has no such name.
Key = Callable[[Entry], Hashable | None]


def match(first: Sequence[Entry], second: Sequence[Entry]) -> list[int | None]:
    """For each entry of the second file the place of its partner in the first, None where there is none."""
    partners: list[int | None] = [None] * len(second)
    taken: set[int] = set()
    for ours, theirs in _LADDER:
        index = _unique(first, ours)
        wanted = _unique(second, theirs)
        for name, place in wanted.items():
            partner = index.get(name)
            if partners[place] is None and partner is not None and partner not in taken:
                partners[place] = partner
                taken.add(partner)
    return partners


def _unique(entries: Sequence[Entry], key: Key) -> dict[Hashable, int]:
    """Places by a name that one entry alone has."""
    index: dict[Hashable, int] = {}
    repeated = set()
    for place, entry in enumerate(entries):
        name = key(entry)
        if name is None:
            continue
        if name in index:
            repeated.add(name)
        index[name] = place
    return {name: place for name, place in index.items() if name not in repeated}


def _file(entry: Entry) -> str | None:
    return entry.image.file.replace("\\", "/") if entry.image.file else None


def _both(entry: Entry) -> Hashable | None:
    file = _file(entry)
    return None if file is None or entry.image.image_id is None else (file, entry.image.image_id, entry.frame)


def _path(entry: Entry) -> Hashable | None:
    file = _file(entry)
    return None if file is None else (file, entry.frame)


def _id_and_name(entry: Entry) -> Hashable | None:
    file = _file(entry)
    return None if file is None or not entry.image.image_id else (entry.image.image_id, PurePosixPath(file).name)


def _name(entry: Entry) -> Hashable | None:
    file = _file(entry)
    return None if file is None else (PurePosixPath(file).name, entry.frame)


def _stem(entry: Entry) -> Hashable | None:
    file = _file(entry)
    return PurePosixPath(file).stem if file is not None and entry.frame is None else None


def _id(entry: Entry) -> Hashable | None:
    return entry.image.image_id


def _number(entry: Entry) -> Hashable | None:
    stem = _stem(entry)
    return number_in(str(stem)) if stem is not None else None


def _id_number(entry: Entry) -> Hashable | None:
    image_id = entry.image.image_id
    return (image_id.lstrip("0") or "0") if image_id is not None and image_id.isdecimal() else None


def _id_alone(entry: Entry) -> Hashable | None:
    """The id of an entry that names no file."""
    return entry.image.image_id if entry.image.file is None else None


_LADDER: tuple[tuple[Key, Key], ...] = (
    (_both, _both),
    (_path, _path),
    (_id_and_name, _id_and_name),
    (_name, _name),
    (_id, _id_alone),
    (_id_alone, _id),
    (_stem, _id),
    (_id, _stem),
    (_stem, _stem),
    (_number, _id_number),
    (_id_number, _number),
)
