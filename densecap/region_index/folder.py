"""The folder of an index: ``index.json`` says which model made it, ``parts/`` hold what it found, photo by photo."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from densecap.errors import UserError
from densecap.region_index.parts import IndexPart, read_part, write_part

INDEX_VERSION = 1


class RegionIndex:
    """An index in ``folder``; of a photo that was indexed again, because its file changed, the newest entry counts.

    ``card`` is what index.json holds: ``version``, ``model`` (``checkpoint``, ``sha256``, ``name``, ``trained_on``,
    ``config``) and ``max_regions``.
    """

    def __init__(self, folder: Path, card: Mapping[str, Any]) -> None:
        self.folder, self.card = folder, dict(card)

    @classmethod
    def open(cls, folder: Path) -> RegionIndex:
        """Errors: UserError when there is no index, or one of another version."""
        path = folder / "index.json"
        try:
            card = json.loads(path.read_text(encoding="utf-8"))
            version = card["version"]
        except FileNotFoundError:
            raise UserError(
                f"there is no index in {folder}: make one with python -m densecap search index={folder} source=PHOTOS"
            ) from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} is not an index of photos: {error}") from error
        if version != INDEX_VERSION:
            raise UserError(f"{path} has version {version}, this program reads {INDEX_VERSION}: make another index")
        return cls(folder, card)

    @classmethod
    def open_or_create(cls, folder: Path, model: Mapping[str, Any], max_regions: int) -> RegionIndex:
        """The index of that model. Errors: UserError when the folder holds one that was made in another way."""
        card = {"version": INDEX_VERSION, "model": dict(model), "max_regions": max_regions}
        if not (folder / "index.json").exists():
            (folder / "parts").mkdir(parents=True, exist_ok=True)
            temporary = folder / f".index.{os.getpid()}.tmp"
            temporary.write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            temporary.replace(folder / "index.json")
        index = cls.open(folder)
        changed = _difference(index.card, card)
        if changed:
            raise UserError(
                f"the index in {folder} was made with another {changed}: choose another folder, or delete it"
            )
        return index

    def parts(self, with_codes: bool = True) -> Iterator[IndexPart]:
        """The parts in the order in which they were made."""
        for path in self._paths():
            yield read_part(path, with_codes)

    def add(self, part: IndexPart) -> None:
        """Keep the part for good."""
        paths = self._paths()
        number = int(paths[-1].stem) + 1 if paths else 0
        write_part(self.folder / "parts" / f"{number:06d}.h5", part)

    def stamps(self) -> dict[str, tuple[int, int]]:
        """Bytes and time of change of every photo that is indexed, as of then."""
        rows = ((part.files, part.stamps.tolist()) for part in self.parts(with_codes=False))
        return {file: tuple(stamp) for files, stamps in rows for file, stamp in zip(files, stamps)}

    def newest(self) -> list[np.ndarray]:
        """Of each part (B,) whether its entry of a photo is the one that counts."""
        files = [part.files for part in self.parts(with_codes=False)]
        last = {file: number for number, own in enumerate(files) for file in own}
        return [np.array([last[file] == number for file in own], bool) for number, own in enumerate(files)]

    def _paths(self) -> list[Path]:
        return sorted((self.folder / "parts").glob("[0-9]*.h5"))


def stamp_of(path: str | Path) -> tuple[int, int]:
    """Bytes and time of last change of a file; errors: OSError."""
    status = Path(path).stat()
    return status.st_size, status.st_mtime_ns


def _difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str | None:
    """What was chosen otherwise when the index was made."""
    if old["model"].get("sha256") != new["model"]["sha256"]:
        return f"model ({old['model'].get('checkpoint')})"
    for key in ("image_size", "detection", "generation"):
        before, now = old["model"]["config"].get(key), new["model"]["config"].get(key)
        if before != now:
            return f"{key} ({before}, now {now})"
    if old["max_regions"] != new["max_regions"]:
        return f"max_regions ({old['max_regions']})"
    return None
