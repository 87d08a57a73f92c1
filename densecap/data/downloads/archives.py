"""Unpacking zip archives so that the result appears complete or not at all."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from densecap.data.images import IMAGE_SUFFIXES
from densecap.errors import UserError


def unpack(archive: Path, target: Path, kind: str, on_progress: Callable[[int, int], None]) -> None:
    """Make ``target`` of a zip archive: for "images" a folder of all its images, for "file" its only file.

    What was at ``target`` before is replaced. ``on_progress`` receives unpacked bytes and bytes in all. Of paths inside
    the archive only the last part counts, so nothing is ever written elsewhere. UserError for a damaged archive.
    """
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        with zipfile.ZipFile(archive) as contents:
            members = _wanted(contents, kind, archive)
            total, done = sum(member.file_size for member in members), 0
            for member in members:
                with contents.open(member) as source, (temporary / _name(member)).open("wb") as file:
                    shutil.copyfileobj(source, file, 1 << 20)
                done += member.file_size
                on_progress(done, total)
        temporary.chmod(0o755)
        _replace(temporary if kind == "images" else temporary / _name(members[0]), target)
    except (zipfile.BadZipFile, EOFError) as error:
        raise UserError(f"{archive} is damaged ({error}): it has to be fetched again") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _wanted(contents: zipfile.ZipFile, kind: str, archive: Path) -> list[zipfile.ZipInfo]:
    files = [member for member in contents.infolist() if not member.is_dir() and not _name(member).startswith(".")]
    files = [member for member in files if "__MACOSX" not in member.filename]
    if kind == "images":
        files = [member for member in files if PurePosixPath(member.filename).suffix.lower() in IMAGE_SUFFIXES]
    if not files or (kind == "file" and len(files) > 1):
        wanted = "images" if kind == "images" else "one file"
        raise UserError(f"{archive} does not hold {wanted} as expected: it has to be fetched again")
    return files


def _name(member: zipfile.ZipInfo) -> str:
    return PurePosixPath(member.filename.replace("\\", "/")).name


def _replace(source: Path, target: Path) -> None:
    if target.is_dir():
        old = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        target.rename(old / target.name)
        source.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    else:
        source.replace(target)
