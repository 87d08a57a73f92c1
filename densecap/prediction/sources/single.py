"""What is one picture: a file, an address, a picture of a data set, bytes on standard input, or a broken thing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NoReturn

from densecap.data.images import decode_image, read_image
from densecap.errors import UserError
from densecap.prediction.sources.addresses import is_address, path_of_address
from densecap.prediction.sources.settings import SourceSettings
from densecap.prediction.sources.unread import Unread
from densecap.prediction.sources.web import read_picture

if TYPE_CHECKING:
    from torch import Tensor


class Single:
    """One picture called ``name``; ``own_id`` is the id it brings along, if it does."""

    __slots__ = ()
    has_frames: ClassVar[bool] = False
    total: ClassVar[int | None] = 1
    name: str

    @property
    def own_id(self) -> str | None:
        return None

    @property
    def path(self) -> Path:
        """What its id is made of."""
        return Path(self.name)

    def read(self) -> Tensor:
        """(3, H, W) uint8 RGB. Errors: UserError, OSError, MemoryError."""
        raise NotImplementedError

    def unread(self, image_id: str) -> Iterator[Unread]:
        yield Unread(image_id, self.name, self.read)


@dataclass(frozen=True, slots=True)
class PictureFile(Single):
    name: str

    def read(self) -> Tensor:
        return read_image(Path(self.name))


@dataclass(frozen=True, slots=True)
class SplitPicture(Single):
    """A picture of the data set ``data``, whose id there is ``image_id``."""

    name: str
    image_id: str
    data: str

    @property
    def own_id(self) -> str | None:
        return self.image_id

    def read(self) -> Tensor:
        return read_image(Path(self.name))


@dataclass(frozen=True, slots=True)
class PictureAddress(Single):
    """A picture on the web, fetched when it is read."""

    name: str
    address: str
    settings: SourceSettings

    @property
    def path(self) -> Path:
        return path_of_address(self.address)

    def read(self) -> Tensor:
        return read_picture(self.address, self.settings)


@dataclass(frozen=True, slots=True)
class PictureInMemory(Single):
    """The bytes of a picture file."""

    name: str
    data: bytes

    def read(self) -> Tensor:
        return decode_image(self.data, self.name)


@dataclass(frozen=True, slots=True)
class Broken(Single):
    """What could not be opened, and why."""

    name: str
    problem: str

    @property
    def path(self) -> Path:
        return path_of_address(self.name) if is_address(self.name) else Path(self.name)

    def read(self) -> NoReturn:
        raise UserError(self.problem)
