"""What was done in a folder, image by image, from which a later run goes on.

``journal.jsonl`` begins with {"journal": 1, "settings": {...}}, and each line after that is one thing that is done:

    {"file": ..., "frame": ..., "stamp": ..., "made": {...}, "image": {...}}    an image, whose files are all written
    {"finished": "video", "source": ..., "made": ...}                           the video of a source

``image`` is the entry of predictions.json, ``stamp`` what tells whether the file is still the same, ``made`` the digest
of each format's files that were made of it. Later lines about an image take the place of earlier ones. Lines are
flushed as they are written; the half of one that a killed run leaves behind is cut off. Several processes of one run
each have a journal of their own, ``journal-1.jsonl`` and so on, and read all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from densecap.errors import UserError
from densecap.prediction.sources import Unread
from densecap.prediction.writers.text import dump
from densecap.structures import Prediction

JOURNAL_VERSION = 1

#: What stands before the predictions of an image: a line is read up to here unless they are wanted.
_IMAGE = b', "image": '

Key = tuple[str, int | None]


@dataclass
class Entry:
    """An image that is done: the digest of each picture format that was ``made`` of it, by the format's name."""

    prediction: Prediction
    made: dict[str, str] = field(default_factory=dict)


class Journal:
    """The journals of ``folder``, and the one that this process (``rank``) appends to.

    ``settings`` are plain values, whatever decides what is predicted. Errors: UserError when the folder holds what was
    predicted with other settings.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any], rank: int = 0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._places: dict[Key, tuple[Path, int, list[int] | None]] = {}
        self._finished: dict[str, str] = {}
        self._open: dict[Path, BinaryIO] = {}
        own = folder / _name(rank)
        _cut_half_line(own)
        for path in journals_in(folder):
            self._load(path, folder, settings)
        self._file = own.open("ab")
        if self._file.tell() == 0:
            self._append({"journal": JOURNAL_VERSION, "settings": settings})

    def __len__(self) -> int:
        """Images of earlier runs."""
        return len(self._places)

    def knows(self, item: Unread) -> bool:
        """Whether an earlier run did an image, and its file has not changed since."""
        place, stamp = self._places.get(key_of(item)), stamp_of(item)
        return place is not None and stamp is not None and place[2] == stamp

    def find(self, item: Unread) -> Entry | None:
        """What an earlier run made of an image that the journal ``knows``, else None."""
        if not self.knows(item):
            return None
        path, offset, _ = self._places[key_of(item)]
        if path not in self._open:
            self._open[path] = path.open("rb")
        self._open[path].seek(offset)
        line = json.loads(self._open[path].readline())
        return Entry(Prediction.from_json(line["image"]), line["made"])

    def add(self, item: Unread, entry: Entry) -> None:
        """Note that an image is done. Errors: OSError."""
        file, frame = key_of(item)
        head = {"file": file, "frame": frame, "stamp": stamp_of(item), "made": entry.made}
        self._append(head | {"image": entry.prediction.to_json()})

    def finished(self, source: str) -> str | None:
        """The digest of a source's video, if it is finished."""
        return self._finished.get(source)

    def add_finished(self, source: str, digest: str) -> None:
        """Note that a source's video is finished. Errors: OSError."""
        self._append({"finished": "video", "source": source, "made": digest})

    def close(self) -> None:
        for file in (self._file, *self._open.values()):
            file.close()

    def _append(self, line: Mapping[str, Any]) -> None:
        self._file.write(dump(line).encode(errors="backslashreplace") + b"\n")
        self._file.flush()

    def _load(self, path: Path, folder: Path, settings: Mapping[str, Any]) -> None:
        lines = _lines(path)
        _, first = next(lines, (0, b""))
        if not first:
            return
        _check(json.loads(first), folder, settings)
        for offset, line in lines:
            head = json.loads(line.partition(_IMAGE)[0] + b"}") if _IMAGE in line else json.loads(line)
            if "finished" in head:
                self._finished[head["source"]] = head["made"]
            else:
                self._places[head["file"], head["frame"]] = path, offset, head["stamp"]


def journals_in(folder: Path) -> list[Path]:
    """The journals of all processes, in a fixed order."""
    return sorted(folder.glob("journal*.jsonl"))


def remove_journals(folder: Path) -> None:
    """Forget what was done, to start over."""
    for path in journals_in(folder):
        path.unlink(missing_ok=True)


def key_of(item: Unread) -> Key:
    """What an image is known by: its file, or its video and the number of the frame."""
    return (item.name, None) if item.frame is None else (item.frame.source, item.frame.index)


def stamp_of(item: Unread) -> list[int] | None:
    """Size and time of an image's file; of an address nothing; None for what is not the same another time, such as a
    stream, a screen or standard input."""
    name = item.name if item.frame is None else item.frame.source
    inside = name.lower().find(".tar/")  # a picture of a tar file is the same as long as that is
    try:
        status = Path(name[: inside + 4] if inside >= 0 and "://" not in name else name).stat()
    except (OSError, ValueError):
        return [] if item.frame is None and "://" in name else None
    return [status.st_size, status.st_mtime_ns]


def _name(rank: int) -> str:
    return f"journal-{rank}.jsonl" if rank else "journal.jsonl"


def _cut_half_line(path: Path) -> None:
    """Take off what a killed run left of its last line."""
    if not path.exists():
        return
    whole = 0
    with path.open("rb+") as file:
        for line in file:
            whole += len(line) if line.endswith(b"\n") else 0
        file.truncate(whole)


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Whole lines with the places they begin at."""
    offset = 0
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield offset, line
            offset += len(line)


def _check(head: Mapping[str, Any], folder: Path, settings: Mapping[str, Any]) -> None:
    remedy = "give another output.dir, or output.resume=false to start over there"
    if head.get("journal") != JOURNAL_VERSION:
        raise UserError(f"{folder} holds the results of another version of this program: {remedy}")
    before, now = dict(_flat(head["settings"])), dict(_flat(json.loads(dump(settings))))
    differing = [key for key in [*now, *before] if before.get(key) != now.get(key)]
    if differing:
        first = list(dict.fromkeys(differing))[:3]
        named = ", ".join(f"{key} was {_shown(before.get(key))}, is {_shown(now.get(key))}" for key in first)
        raise UserError(f"{folder} holds results made in another way ({named}): {remedy}")


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _shown(value: Any) -> str:
    text = "null" if value is None else str(value)
    return text if len(text) <= 24 else f"{text[:12]}..."
