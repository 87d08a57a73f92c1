"""What has many pictures in time: videos, streams and the screen."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from densecap.errors import UserError
from densecap.prediction.sources.addresses import is_address, path_of_address, shown
from densecap.prediction.sources.naming import frame_id
from densecap.prediction.sources.settings import SourceSettings
from densecap.prediction.sources.unread import Frame, Unread

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture before it is decoded: ``index`` from 0 and ``seconds`` since the beginning."""

    index: int
    seconds: float
    read: Callable[[], Tensor]


class Moving(ABC):
    """A video, stream or screen called ``name``; ``total`` pictures of it are taken, None where that is not known.

    What is live is there once: whoever comes a second time gets nothing.
    """

    has_frames = True
    own_id: str | None = None
    is_live = False

    def __init__(self, name: str, settings: SourceSettings, total: int | None = None) -> None:
        self.name, self.settings, self.total = shown(name), settings, total
        self._is_over = False

    @property
    def path(self) -> Path:
        """What its id is made of."""
        return path_of_address(self.name) if is_address(self.name) else Path(self.name)

    @abstractmethod
    def shots(self) -> Iterator[tuple[Shot, bool]]:
        """Its pictures, and whether what follows is not there yet. Errors: UserError when it breaks off."""

    def unread(self, image_id: str) -> Iterator[Unread]:
        """The pictures that are taken; where it breaks off, a last one that cannot be read says why."""
        if self._is_over:
            return
        self._is_over, taken = self.is_live, 0
        shots = self.shots()
        try:
            for shot, is_latest in shots:
                frame = Frame(self.name, shot.index, shot.seconds)
                yield Unread(frame_id(image_id, shot.index), self.name, shot.read, frame, is_latest)
                taken += 1
                if taken == self.settings.max:
                    return
        except UserError as error:
            yield Unread(image_id, self.name, partial(_raise, error))
        finally:
            if hasattr(shots, "close"):
                shots.close()


def _raise(error: UserError) -> NoReturn:
    raise error
