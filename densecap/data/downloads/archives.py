"""Unpacking zip and tar archives so that the result appears complete or not at all."""

from __future__ import annotations

import lzma
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from densecap.data.images import IMAGE_SUFFIXES
from densecap.errors import UserError


@dataclass(frozen=True)
class Member:
    """A file in an archive; ``open`` gives its content."""

    path: PurePosixPath
    size: int
    open: Callable[[], IO[bytes]]


def unpack(
    archive: Path,
    target: Path,
    kind: str,
    on_progress: Callable[[int, int], None],
    members: Sequence[str] = (),
) -> None:
    """Make ``target`` of an archive: for "images" a folder of all its images, for "file" its only file, for "tree" a
    folder of all its files in their folders, the one around them left out. What was there before is replaced.

    For "members" the files of these names come into the folder ``target``, which keeps what else it has.
    ``on_progress`` receives unpacked bytes and bytes in all. Paths inside an archive never lead out of the target.
    UserError for a damaged archive, or one that does not hold what is expected.
    """
    place = target if kind == "members" else target.parent
    place.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=place))
    try:
        with _opened(archive) as contents:
            wanted = _wanted(contents, kind, archive, members)
            total, done = sum(member.size for member in wanted.values()), 0
            for name, member in wanted.items():
                (temporary / name).parent.mkdir(parents=True, exist_ok=True)
                with member.open() as source, (temporary / name).open("wb") as file:
                    shutil.copyfileobj(source, file, 1 << 20)
                done += member.size
                on_progress(done, total)
        temporary.chmod(0o755)
        if kind == "members":
            for name in wanted:
                (temporary / name).replace(target / name)
        else:
            _replace(temporary / next(iter(wanted)) if kind == "file" else temporary, target)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError) as error:
        raise UserError(f"{archive} is damaged ({error}): it has to be fetched again") from None
    except OSError as error:
        if error.errno is not None:
            raise
        raise UserError(f"{archive} is damaged ({error}): it has to be fetched again") from None  # gzip's and bz2's
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def _opened(archive: Path) -> Iterator[list[Member]]:
    """The files of an archive; by its name it is a zip file, else a tar file however it is compressed."""
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as zipped:
            files = [info for info in zipped.infolist() if not info.is_dir()]
            yield [Member(_path(info.filename), info.file_size, partial(zipped.open, info)) for info in files]
    else:
        with tarfile.open(archive) as tarred:
            regular = [info for info in tarred if info.isfile()]
            yield [Member(_path(info.name), info.size, partial(_extracted, tarred, info)) for info in regular]


def _path(name: str) -> PurePosixPath:
    return PurePosixPath(name.replace("\\", "/"))


def _extracted(archive: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    stream = archive.extractfile(info)
    assert stream is not None  # a regular file
    return stream


def _wanted(contents: list[Member], kind: str, archive: Path, names: Sequence[str]) -> dict[str, Member]:
    """Path below the target -> member."""
    files = [member for member in contents if not member.path.name.startswith(".")]
    files = [member for member in files if "__MACOSX" not in member.path.parts]
    if kind == "images":
        files = [member for member in files if member.path.suffix.lower() in IMAGE_SUFFIXES]
    if kind == "members":
        files = [member for member in files if member.path.name in names]
    found = _tree(files) if kind == "tree" else {member.path.name: member for member in files}
    missing = [name for name in names if name not in found]
    if not files or missing or (kind == "file" and len(files) > 1):
        wanted = {"file": "one file", "images": "images", "tree": "files"}.get(kind, " and ".join(missing))
        raise UserError(f"{archive} does not hold {wanted} as expected: it has to be fetched again")
    return found


def _tree(files: list[Member]) -> dict[str, Member]:
    """Paths without the folder that is around all of them, and without parts that lead elsewhere."""
    parts = {member.path: [part for part in member.path.parts if part not in ("/", "..", ".")] for member in files}
    around = {tuple(own[:1]) for own in parts.values()}
    skip = 1 if len(around) == 1 and all(len(own) > 1 for own in parts.values()) else 0
    return {"/".join(parts[member.path][skip:]): member for member in files}


def _replace(source: Path, target: Path) -> None:
    if target.is_dir():
        old = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        target.rename(old / target.name)
        source.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    else:
        source.replace(target)
