"""The index of paraphrases on disk: built once per table, then mapped into memory by every process."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from densecap.errors import UserError
from densecap.metrics.meteor.index_build import ARRAYS, ROOT, WORD_BITS, build_index

_FORMAT = 1


@dataclass(frozen=True)
class ParaphraseIndex:
    """Phrases as nodes of a tree of words; see index_build for the arrays."""

    words: dict[str, int]
    edges: np.ndarray  # (nodes,) int64
    sources: np.ndarray  # (nodes,) int32
    targets: np.ndarray  # (nodes,) bool
    offsets: np.ndarray  # (rows + 1,) int32
    paraphrases: np.ndarray  # (entries,) int32

    def step(self, nodes: np.ndarray, words: np.ndarray) -> np.ndarray:
        """The nodes (n,) reached from ``nodes`` (n,) by one more word each; ROOT where the tree ends."""
        keys = nodes.astype(np.int64) << WORD_BITS | words
        place = np.searchsorted(self.edges, keys)
        place[place == len(self.edges)] = 0
        return np.where(self.edges[place] == keys, place, ROOT)


def cache_folders() -> list[Path]:
    """Where the index may live: $DENSECAP_CACHE, else the user's cache folder; failing that, the temporary folder."""
    user = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    chosen = os.environ.get("DENSECAP_CACHE") or Path(user) / "densecap"
    owner = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    return [Path(chosen).expanduser(), Path(tempfile.gettempdir()) / f"densecap-{owner}"]


def open_index(table: Path) -> ParaphraseIndex:
    """The index of the table of paraphrases, built first where it is missing (about 15 seconds, 66 MB on disk).

    Errors: UserError when no folder can hold it or the table cannot be read.
    """
    problems = []
    for folder in cache_folders():
        try:
            return _obtain(folder, f"meteor-{_FORMAT}-{_fingerprint(table)}", table)
        except (OSError, EOFError, ValueError, zlib.error) as error:
            problems.append(f"{folder}: {error}")
    raise UserError(f"METEOR's index cannot be built ({'; '.join(problems)}): set DENSECAP_CACHE to a writable folder")


def _fingerprint(table: Path) -> str:
    """The size of the compressed table and the checksum and length that end it: the same wherever it is installed."""
    with table.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - 8, 0))
        return f"{size:x}-{file.read().hex()}"


def _obtain(folder: Path, name: str, table: Path) -> ParaphraseIndex:
    """The index in this folder; several processes that miss it at once build it once."""
    with contextlib.suppress(OSError, ValueError):  # missing or damaged
        return _load(folder / name)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _lock(folder / "meteor.lock"):
        with contextlib.suppress(OSError, ValueError):
            return _load(folder / name)
        _build(folder, folder / name, table)
    return _load(folder / name)


def _build(folder: Path, finished: Path, table: Path) -> None:
    shutil.rmtree(finished, ignore_errors=True)
    unfinished = Path(tempfile.mkdtemp(prefix="building-", dir=folder))
    try:
        build_index(table, unfinished)
        unfinished.rename(finished)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Held by one process at a time, where the system can; elsewhere both build, which is slow but harmless."""
    with path.open("w") as file:
        with contextlib.suppress(ImportError, OSError):
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _load(folder: Path) -> ParaphraseIndex:
    words = (folder / "words.txt").read_text(encoding="utf-8").split("\n")
    arrays = [np.load(folder / f"{name}.npy", mmap_mode="r").view(np.ndarray) for name in ARRAYS]
    return ParaphraseIndex(dict(zip(words, range(1, len(words) + 1))), *arrays)
