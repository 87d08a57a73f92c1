"""What is known about one published file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True)
class RemoteFile:
    """One published file.

    ``key`` is what ``only=[...]`` calls it, several files may share one. ``name`` is the file as it is published, the
    archive if it is one; ``target`` what it becomes below the data set's root: the file itself, or what ``unpack``
    makes of it: "images" a folder with all images in the archive, "file" its only file, "members" a folder that gets
    the files ``members`` of the archive beside what it has, "tree" a folder with all files in their folders, the one
    around them left out. ``addresses`` are tried in order. ``versions`` are the values of ``data.version`` it belongs
    to, empty for all. What is ``optional`` is fetched only when ``only`` names it.
    """

    key: str
    name: str
    target: str
    addresses: tuple[str, ...]
    size: int | None = None
    sha256: str | None = None
    unpack: str | None = None
    versions: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    optional: bool = False

    @property
    def products(self) -> list[str]:
        """What is there once it is complete, below the root."""
        return [(PurePosixPath(self.target) / name).as_posix() for name in self.members] or [self.target]
