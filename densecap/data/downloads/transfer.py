"""Fetching one file over HTTP, going on with what an earlier attempt left.

What has arrived lies in ``<name>.part``; ``<name>.part.json`` remembers the address and the server's mark of the
version (ETag or date), so that pieces of two different files are never put together.
"""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: Receives (bytes there now, bytes in all or None).
OnProgress = Callable[[int, int | None], None]

CHUNK = 1 << 20
TIMEOUT = 60.0  # seconds without a byte
#: Seconds to wait before asking again for the rest when the connection broke; any byte gained starts the list anew.
PAUSES = (1.0, 3.0, 10.0, 30.0)


class TransferError(Exception):
    """This address does not deliver the file; the message says why, in a few words."""


class Part:
    """The beginning of the file at ``path``, and what is known of the whole."""

    def __init__(self, path: Path) -> None:
        self.target = path
        self.path = path.with_name(f"{path.name}.part")
        self.note = path.with_name(f"{path.name}.part.json")

    @property
    def length(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def memory(self) -> dict[str, Any]:
        """The ``address`` it came from and the server's ``mark``; empty if that is not known."""
        try:
            return json.loads(self.note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    def begin(self, address: str, mark: str | None) -> None:
        self.discard()
        self.note.write_text(json.dumps({"address": address, "mark": mark}), encoding="utf-8")

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)

    def finish(self) -> None:
        """Give the complete part its name."""
        self.path.replace(self.target)
        self.note.unlink(missing_ok=True)


def transfer(address: str, part: Part, size: int | None, on_progress: OnProgress, checked: bool = False) -> None:
    """Fetch ``address`` until ``part`` is the whole file.

    ``size`` in bytes if it is known. ``checked`` says that a checksum will tell whether it is the right file: then what
    another address left is continued. Raises ``TransferError`` when the server refuses, has another size or stays away.
    """
    memory = part.memory
    if not (checked or (memory.get("address") == address and memory.get("mark"))):
        part.discard()
    connected, pauses = False, iter(PAUSES)
    while True:
        before = part.length
        problem = "broke off"
        try:
            if _receive(address, part, size, on_progress):
                return
        except (OSError, http.client.HTTPException) as error:
            problem = _reason(error)
        if part.length > before:
            connected, pauses = True, iter(PAUSES)
        pause = next(pauses, None)
        if pause is None or not connected:
            raise TransferError(problem)
        time.sleep(pause)


def _receive(address: str, part: Part, size: int | None, on_progress: OnProgress) -> bool:
    """One request for what is missing, appended to the part; says whether that is the whole file now."""
    if size is not None and part.length == size:
        return True
    with _request(address, part) as answer:
        start = _first_byte(answer)
        if start not in (0, part.length):
            raise TransferError("sends another piece of the file than was asked for")
        length = answer.headers.get("Content-Length")
        total = start + int(length) if length and length.isdigit() else None
        if None not in (size, total) and total != size:
            raise TransferError(f"has {total:,} bytes instead of {size:,}")
        if start == 0:
            part.begin(address, _mark(answer))
        with part.path.open("ab") as file:
            while block := answer.read(CHUNK):
                file.write(block)
                on_progress(file.tell(), total or size)
    if total is None and size is not None and part.length != size:
        raise TransferError(f"has {part.length:,} bytes instead of {size:,}")
    return total is None or part.length == total


def _request(address: str, part: Part) -> http.client.HTTPResponse:
    """The server's answer; if there is a beginning, it is asked for the rest only."""
    headers = {"User-Agent": "densecap", "Accept-Encoding": "identity"}
    length, memory = part.length, part.memory
    if length:
        headers["Range"] = f"bytes={length}-"
        if memory.get("mark") and memory.get("address") == address:
            headers["If-Range"] = memory["mark"]
    try:
        return urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not length:
            raise
        part.discard()  # nothing comes after what is there, whose size was not known: begin anew
        return _request(address, part)


def _first_byte(answer: http.client.HTTPResponse) -> int:
    """Where the answer begins in the file."""
    if answer.status != 206:
        return 0
    first = (answer.headers.get("Content-Range") or "").removeprefix("bytes ").partition("-")[0]
    return int(first) if first.isdigit() else -1


def _mark(answer: http.client.HTTPResponse) -> str | None:
    """What changes when the file does; a weak ETag may not be used for pieces."""
    tag = answer.headers.get("ETag")
    return tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified")


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"answered {error.code} {error.reason}"
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return "does not answer"
    text = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return f"cannot be reached ({text})" if isinstance(error, urllib.error.URLError) else f"broke off ({text})"
