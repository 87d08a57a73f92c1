"""Pictures in object storage and whatever else fsspec opens: ``s3://``, ``gs://``, ``hf://``, ``memory://`` ...

A list of names (``s3://bucket/list.txt``), a folder, a glob, a tar file and a picture may lie there. What a scheme
needs (s3fs, gcsfs, a login) is fsspec's affair; its own words are passed on when it fails.
"""

from __future__ import annotations

import glob
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from densecap.data.images import IMAGE_SUFFIXES, decode_image
from densecap.errors import UserError
from densecap.prediction.sources.addresses import STREAM_SCHEMES, is_address, name_address, path_of_address, suffix_of
from densecap.prediction.sources.name_lists import LIST_SUFFIX, names_in
from densecap.prediction.sources.named import Named
from densecap.prediction.sources.naming import natural_key
from densecap.prediction.sources.single import Single

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

TAR_SUFFIX = ".tar"

Result = TypeVar("Result")


def is_remote(name: str) -> bool:
    """Whether fsspec opens this address: it knows the scheme, and no other part of this package reads it."""
    if not is_address(name):
        return False
    scheme = urlsplit(name).scheme.lower()
    if scheme == "file":  # of pictures and videos by their paths
        return suffix_of(name) in (LIST_SUFFIX, TAR_SUFFIX) or glob.has_magic(name)
    if scheme in ("http", "https"):
        return suffix_of(name) in (LIST_SUFFIX, TAR_SUFFIX)
    from fsspec.registry import known_implementations, registry

    return scheme not in STREAM_SCHEMES and (scheme in known_implementations or scheme in registry)


def remote_names(address: str) -> list[Named]:
    """What an address means: the pictures of a list, a folder or a glob, a tar file, or one picture.

    Errors: UserError when there is nothing, or it cannot be reached.
    """
    if suffix_of(address) == LIST_SUFFIX:
        names = names_in(read_bytes(address), address)
        return [_listed(name, address) for name in names]
    if suffix_of(address) in IMAGE_SUFFIXES and not glob.has_magic(address):
        return [Named("remote", address)]
    if suffix_of(address) == TAR_SUFFIX and not glob.has_magic(address):
        return [Named("tar", address)]
    found = _asked(address, lambda fs, path: fs.glob(path) if glob.has_magic(path) else fs.ls(path, detail=False))
    system = urlsplit(address).scheme
    pictures = sorted((name for name in found if suffix_of(name) in IMAGE_SUFFIXES), key=_order)
    tars = sorted((name for name in found if suffix_of(name) == TAR_SUFFIX), key=_order)
    if not pictures and not tars:
        raise UserError(f"{address} holds no pictures and no .tar files")
    kind = "remote" if pictures else "tar"
    return [Named(kind, _with_scheme(name, system), typed=False) for name in pictures or tars]  # type: ignore[arg-type]


def read_bytes(address: str, offset: int = 0, size: int | None = None) -> bytes:
    """What lies there, or ``size`` bytes of it. Errors: UserError with fsspec's words."""

    def read(fs: Any, path: str) -> bytes:
        return fs.cat_file(path, start=offset or None, end=None if size is None else offset + size)

    return _asked(address, read)


def open_file(address: str) -> Any:
    """The file, for reading in any order. Errors: UserError with fsspec's words."""
    return _asked(address, lambda fs, path: fs.open(path, "rb"))


@dataclass(frozen=True, slots=True)
class RemotePicture(Single):
    """A picture that is fetched when it is read."""

    name: str

    @property
    def path(self) -> Path:
        return path_of_address(self.name)

    def read(self) -> Tensor:
        return decode_image(read_bytes(self.name), self.name)


def _listed(name: str, where: str) -> Named:
    """What a line of a list names: an address, or what lies beside the list."""
    address = name if is_address(name) else f"{where.rpartition('/')[0]}/{name.lstrip('/')}"
    if suffix_of(address) == TAR_SUFFIX:
        return Named("tar", address, typed=False)
    return Named("remote", address, typed=False) if is_remote(address) else name_address(address, typed=False)


def _asked(address: str, question: Callable[[Any, str], Result]) -> Result:
    try:
        from fsspec.core import url_to_fs

        return question(*url_to_fs(address))
    except ImportError as error:  # fsspec names the package that the scheme needs
        raise UserError(f"{address} cannot be read here: {error}") from error
    except FileNotFoundError as error:
        raise UserError(f"there is nothing at {address}") from error
    except Exception as error:  # every system has errors of its own
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(f"{address} cannot be read: {said}") from error


def _with_scheme(path: str, scheme: str) -> str:
    return path if is_address(path) else f"{scheme}://{path}"


def _order(name: str) -> Any:
    return natural_key(PurePosixPath(name))  # type: ignore[arg-type]
