"""Pictures of videos, taken out of them once so that they can be shown in any order."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from pathlib import Path

from densecap.errors import UserError
from densecap.prediction.drawing import image_from_tensor
from densecap.prediction.pictures import save_jpeg
from densecap.prediction.sources.settings import SourceSettings
from densecap.prediction.sources.video_file import Video
from densecap.viewer.photos import PhotoFinder, PhotoOnDisk
from densecap.viewer.records import Entry


class Frames:
    """Takes frames out of videos into ``folder``, which has to live as long as the photos.

    ``problems`` are sentences about videos that could not be read; their frames are shown without a picture.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.problems: list[str] = []

    def photos(self, entries: Sequence[Entry], finder: PhotoFinder) -> list[PhotoOnDisk | None]:
        """The picture of each entry that is a frame of a video on this disk; None for all others."""
        wanted: dict[str, set[int]] = {}
        for entry in entries:
            if entry.frame is not None and entry.image.file:
                wanted.setdefault(entry.image.file, set()).add(entry.frame)
        found = {file: self._of_video(file, numbers, finder) for file, numbers in wanted.items()}
        taken = [found.get(entry.image.file or "", {}).get(entry.frame) for entry in entries]
        return [None if path is None else PhotoOnDisk(path) for path in taken]

    def _of_video(self, file: str, wanted: Collection[int], finder: PhotoFinder) -> dict[int | None, Path]:
        video = finder.find(file, None)
        if video is None:
            return {}
        folder = self.folder / hashlib.sha256(str(video.path).encode("utf-8", "surrogateescape")).hexdigest()[:16]
        folder.mkdir(parents=True, exist_ok=True)
        found: dict[int | None, Path] = {}
        try:
            for shot, _ in Video(str(video.path), SourceSettings()).shots():
                if shot.index in wanted:
                    path = folder / f"{shot.index}.jpg"
                    save_jpeg(image_from_tensor(shot.read()), path)
                    found[shot.index] = path
                if len(found) == len(wanted):
                    break
        except UserError as error:
            self.problems.append(str(error))
        return found
