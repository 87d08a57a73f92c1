"""What is known about the files that were fetched: ``checksums.json`` in the data set's root.

    {"images.zip": {"sha256": "...", "bytes": 9731705982, "verified": true},
     "region_descriptions.json": {"made_of": "region_descriptions.json.zip"}}

``verified`` is false where no published checksum was known: then the file's own is noted at the first download, and any
later download has to be the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

LEDGER = "checksums.json"


class Ledger:
    """The notes of one root, written at every change."""

    def __init__(self, root: Path) -> None:
        self.path = root / LEDGER
        try:
            self._rows: dict[str, dict[str, Any]] = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self._rows = {}

    def checksum_of(self, name: str) -> str | None:
        """The SHA-256 noted for a file, if it was fetched before."""
        return self._rows.get(name, {}).get("sha256")

    def made_of(self, target: str) -> str | None:
        """The archive that ``target`` was unpacked from, if it was noted."""
        return self._rows.get(target, {}).get("made_of")

    def note(self, name: str, **facts: Any) -> None:
        self._rows[name] = facts
        self._write()

    def forget(self, name: str) -> None:
        self._rows.pop(name, None)
        self._write()

    def _write(self) -> None:
        temporary = self.path.with_name(f"{self.path.name}.tmp")
        temporary.write_text(json.dumps(self._rows, indent=1), encoding="utf-8")
        temporary.replace(self.path)


def sha256_with_progress(path: Path, on_progress: Callable[[int, int | None], None]) -> str:
    """The SHA-256 of a file in hexadecimal; ``on_progress`` receives bytes done and bytes in all."""
    digest, total, done = hashlib.sha256(), path.stat().st_size, 0
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
            done += len(block)
            on_progress(done, total)
    return digest.hexdigest()
