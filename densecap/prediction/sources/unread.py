"""What a source gives: pictures before they are decoded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Frame:
    """A picture of a video or stream: ``source`` its path or address, ``index`` from 0, ``seconds`` since its start."""

    source: str
    index: int
    seconds: float


@dataclass(frozen=True)
class Unread:
    """A picture before it is decoded; ``read`` gives (3, H, W) uint8 RGB or raises UserError, OSError, MemoryError.

    ``image_id`` is distinct within a run and safe as the name of a file; ``name`` is the path or address. ``is_latest``
    says that what follows is not there yet, as of a camera's newest picture: it should be described now.
    """

    image_id: str
    name: str
    read: Callable[[], Tensor]
    frame: Frame | None = None
    is_latest: bool = False


class Source(Protocol):
    """Pictures to describe; ``total`` is None where their number is not known (a stream)."""

    @property
    def total(self) -> int | None: ...

    def __iter__(self) -> Iterator[Unread]: ...
