"""Making the files of a data set be there: skip, fetch, check, unpack."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import urlsplit

from densecap.data.downloads.archives import unpack
from densecap.data.downloads.ledger import LEDGER, Ledger, sha256_with_progress
from densecap.data.downloads.remote_file import RemoteFile
from densecap.data.downloads.transfer import OnProgress, Part, TransferError, transfer
from densecap.errors import UserError

#: Opens a progress bar with a description; what it yields is told bytes done and bytes in all.
Bar = Callable[[str], AbstractContextManager[OnProgress]]


def fetch_all(files: Sequence[RemoteFile], root: Path, force: bool, say: Callable[[str], None], bar: Bar) -> None:
    """Bring every file of a data set to ``root``; what is there is left alone unless ``force``.

    Errors: UserError that names the file, what was tried and where to put a file fetched by hand. Whatever is complete
    by then stays, and the beginning of the file that failed too.
    """
    root.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(root)
    try:
        for file in files:
            if not force and _is_there(file, root, ledger):
                say(f"{' and '.join(file.products)} {'are' if len(file.products) > 1 else 'is'} there already")
            else:
                _fetch(file, root, ledger, force, say, bar)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise UserError(f"the disk of {root} is full: make room and start again, what has arrived is kept") from None


def _is_there(file: RemoteFile, root: Path, ledger: Ledger) -> bool:
    """Whether what it becomes exists, and is not noted to come from another version's archive."""
    for product in file.products:
        path = root / product
        if not (path.is_file() or (path.is_dir() and any(path.iterdir()))):
            return False
        if ledger.made_of(product) not in (None, file.name):
            return False
    return True


def _fetch(file: RemoteFile, root: Path, ledger: Ledger, force: bool, say: Callable[[str], None], bar: Bar) -> None:
    path = root / file.name
    by_hand = file.unpack is not None and path.is_file() and not force
    if by_hand:
        say(f"{file.name} is there already")
        checksum = _checksum(path, file, bar)
        _accept(checksum, path, file, ledger)
        by_hand = ledger.checksum_of(file.name) is None  # else it is from a run that was stopped before unpacking
    else:
        _need_room(file, root)
        checksum = _download(file, Part(path), ledger, bar)
    verified = file.sha256 is not None
    if not verified and ledger.checksum_of(file.name) is None:
        say(f"{file.name} is unverified (first download, recorded in {LEDGER}): its sha256 is {checksum}")
    if not by_hand:
        ledger.note(file.name, sha256=checksum, bytes=path.stat().st_size, verified=verified)
    if file.unpack:
        _unpack(file, path, ledger, by_hand, bar)
    verb = "are" if len(file.products) > 1 else "is"
    say(f"{' and '.join(file.products)} {verb} complete" + (", with the published checksum" if verified else ""))


def _unpack(file: RemoteFile, path: Path, ledger: Ledger, by_hand: bool, bar: Bar) -> None:
    """Make the target of an archive, which is then removed unless somebody put it there."""
    try:
        with bar(f"unpacking {file.name}") as progress:
            unpack(path, path.parent / file.target, str(file.unpack), progress, file.members)
        for product in file.products:
            ledger.note(product, made_of=file.name)
    except UserError:
        ledger.forget(file.name)  # whatever it was, its checksum is not to be insisted on
        if not by_hand:
            path.unlink()
        raise
    if not by_hand:
        path.unlink()


def _download(file: RemoteFile, part: Part, ledger: Ledger, bar: Bar) -> str:
    """Fetch a file from the first address that delivers it; returns its checksum."""
    problems = []
    for address in file.addresses:
        try:
            return _download_from(address, file, part, ledger, bar)
        except TransferError as error:
            problems.append(f"{urlsplit(address).netloc} {error}")
    raise UserError(
        f"{file.name} could not be downloaded: {'; '.join(problems)}; try again later with the same command, or fetch "
        f"it by hand from {' or '.join(file.addresses)} and put it at {part.target}"
    )


def _download_from(address: str, file: RemoteFile, part: Part, ledger: Ledger, bar: Bar) -> str:
    """The checksum of what was fetched; a file put together in several attempts gets a second chance in one piece."""
    expected = file.sha256 or ledger.checksum_of(file.name)
    continued = part.length > 0
    with bar(f"fetching {file.name}") as progress:
        transfer(address, part, file.size, progress, checked=expected is not None)
    checksum = _checksum(part.path, file, bar)
    if expected in (None, checksum):
        part.finish()
        return checksum
    part.discard()
    if continued:
        return _download_from(address, file, part, ledger, bar)
    known = "published" if file.sha256 else f"noted in {LEDGER} at the first download"
    raise TransferError(f"delivers a file with sha256 {checksum}, not the one {known}, {expected}")


def _accept(checksum: str, path: Path, file: RemoteFile, ledger: Ledger) -> None:
    expected = file.sha256 or ledger.checksum_of(file.name)
    if expected not in (None, checksum):
        raise UserError(f"{path} is not the published file, its sha256 is {checksum} instead of {expected}: delete it")


def _checksum(path: Path, file: RemoteFile, bar: Bar) -> str:
    with bar(f"checking {file.name}") as progress:
        return sha256_with_progress(path, progress)


def _need_room(file: RemoteFile, root: Path) -> None:
    if file.size is None:
        return
    # JPEG files do not shrink in an archive, so unpacking takes its size once more; JSON grows tenfold.
    unpacked = file.size * {"images": 1, "tree": 1, "file": 10, "members": 2}.get(file.unpack or "", 0)
    needed = file.size - Part(root / file.name).length + unpacked
    free = shutil.disk_usage(root).free
    if free < needed:
        raise UserError(
            f"{file.name} needs {needed / 1e9:.1f} GB in {root}, where {free / 1e9:.1f} GB are free: make room, or "
            "choose another folder with data.root=DIR"
        )
