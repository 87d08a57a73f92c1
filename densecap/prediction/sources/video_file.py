"""Videos with a beginning and an end: files, and addresses of files."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from densecap.errors import UserError
from densecap.prediction.sources.background import Background
from densecap.prediction.sources.moving import Moving, Shot
from densecap.prediction.sources.pyav import decoded, opened, pixels
from densecap.prediction.sources.settings import SourceSettings

#: Pictures that are decoded ahead of the model.
_AHEAD = 16

#: A video that ends before this share of the pictures it says it has is cut short.
_WHOLE = 0.95


class Video(Moving):
    """The pictures of a video, in order, each taken at the number and time it has in there.

    Errors: UserError when it cannot be opened.
    """

    def __init__(self, address: str, settings: SourceSettings) -> None:
        self.address = address
        with opened(address, settings.timeout) as container:
            self.frames = container.streams.video[0].frames
        super().__init__(address, settings, settings.count_of(self.frames) if self.frames else None)

    def shots(self) -> Iterator[tuple[Shot, bool]]:
        for shot, _ in Background(self._decode(), _AHEAD):
            yield shot, False

    def _decode(self) -> Iterator[Shot]:
        damaged: list[str] = []
        index = 0
        with opened(self.address, self.settings.timeout) as container:
            clock = _Clock(container.streams.video[0])
            for frame in decoded(container, self.name, self.settings.timeout, damaged):
                seconds = clock.seconds(frame, index)
                if self.settings.takes(index):
                    yield Shot(index, seconds, partial(pixels, frame))
                index += 1
        if damaged:
            raise UserError(f"{self.name} has {len(damaged)} damaged places, which were left out: {damaged[0]}")
        if index < _WHOLE * self.frames:
            raise UserError(f"{self.name} is cut short: it ends after {index} of {self.frames} pictures")


class _Clock:
    """The time of each picture since the first."""

    def __init__(self, stream: Any) -> None:
        self._rate = float(stream.average_rate or stream.guessed_rate or 25)
        self._first: float | None = None

    def seconds(self, frame: Any, index: int) -> float:
        if frame.time is None:
            return index / self._rate
        if self._first is None:
            self._first = frame.time - index / self._rate
        return frame.time - self._first
