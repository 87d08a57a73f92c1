"""Pictures in tar files, as WebDataset lays millions of them out: ``photos-000000.tar``, ``photos-000001.tar`` ...

A tar file is not unpacked: its table of contents is read when it is opened, a picture when its turn comes.
"""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

from densecap.data.images import IMAGE_SUFFIXES, decode_image
from densecap.errors import UserError
from densecap.prediction.sources.addresses import is_address, path_of_address
from densecap.prediction.sources.remote import open_file, read_bytes
from densecap.prediction.sources.single import Single

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class TarPicture(Single):
    """``size`` bytes from ``offset`` on in the file ``tar``; called TAR/MEMBER."""

    tar: str
    member: str
    offset: int
    size: int

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"{self.tar}/{self.member}"

    @property
    def path(self) -> Path:
        return path_of_address(self.name) if is_address(self.name) else Path(self.name)

    def read(self) -> Tensor:
        if is_address(self.tar):
            return decode_image(read_bytes(self.tar, self.offset, self.size), self.name)
        with Path(self.tar).open("rb") as file:
            file.seek(self.offset)
            return decode_image(file.read(self.size), self.name)


def open_tar(tar: str) -> list[TarPicture]:
    """The pictures of an uncompressed tar file, in its order. Errors: UserError for what is none, or holds none."""
    try:
        with _opened(tar) as file, tarfile.open(fileobj=file, mode="r:") as archive:
            members = [member for member in archive if member.isfile()]
    except (tarfile.TarError, OSError) as error:
        raise UserError(f"{tar} cannot be read as an uncompressed tar file: {error}") from error
    found = [
        TarPicture(tar, member.name.removeprefix("./"), member.offset_data, member.size)
        for member in members
        if PurePosixPath(member.name).suffix.lower() in IMAGE_SUFFIXES
    ]
    if not found:
        raise UserError(f"{tar} holds no pictures among its {len(members)} files")
    return found


def _opened(tar: str) -> BinaryIO:
    return open_file(tar) if is_address(tar) else Path(tar).open("rb")
