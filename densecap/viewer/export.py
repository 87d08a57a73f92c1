"""The page as a folder that any web server, or a browser by itself, opens."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from densecap.data.images import ImageError
from densecap.errors import UserError
from densecap.viewer.collection import Collection, collect
from densecap.viewer.data_files import index_script
from densecap.viewer.frames import Frames
from densecap.viewer.photos import Photo, thumbnail, web_picture
from densecap.viewer.site import PAGE, Site, page_file
from densecap.viewer.truths import Truths

#: How the data of a page begins, by which an earlier export is known.
_MARK = b"densecapData.index("

#: Photos that are worked on at once.
_WORKERS = 4


def export_viewer(
    predictions: Sequence[Path],
    folder: Path,
    images: Path | None = None,
    truth: Truths | None = None,
    max_side: int | None = None,
    report: Callable[[int], None] | None = None,
) -> Path:
    """Write the page about one or two files of predictions; returns its index.html.

    ``images`` is the folder of the photos, None where the paths in the files hold; ``max_side`` the most pixels a side
    of a copied photo may have. The folder appears when it is complete, in place of an earlier export. ``report`` is
    told how many photos are done. Errors: UserError for what cannot be read, and for a folder with something else in
    it; OSError.
    """
    with tempfile.TemporaryDirectory() as pictures:
        collection = collect(predictions, images, truth, Frames(Path(pictures)))
        return write_site(collection, folder, max_side, report)


def write_site(
    collection: Collection, folder: Path, max_side: int | None = None, report: Callable[[int], None] | None = None
) -> Path:
    """``export_viewer`` for what is read already."""
    folder = Path(os.path.abspath(folder))  # noqa: PTH100 (a link stays one)
    if folder.exists() and not _is_ours(folder):
        raise UserError(f"{folder} holds something else than a page of the viewer: give a new folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(f".{folder.name}.*.tmp"):
        shutil.rmtree(left, ignore_errors=True)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        _write(collection, temporary, max_side, report or (lambda done: None))
        _put_in_place(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder / "index.html"


def _is_ours(folder: Path) -> bool:
    """Whether it is an empty folder or an earlier export."""
    if not folder.is_dir():
        return False
    if not any(folder.iterdir()):
        return True
    try:
        return (folder / "data" / "index.js").read_bytes().startswith(_MARK)
    except OSError:
        return False


def _put_in_place(temporary: Path, folder: Path) -> None:
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old.tmp")
    if folder.exists():
        folder.replace(old)
    try:
        temporary.replace(folder)
    except OSError:
        with suppress(OSError):
            old.replace(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _write(collection: Collection, folder: Path, max_side: int | None, report: Callable[[int], None]) -> None:
    for name in ("data", "images", "thumbnails"):
        (folder / name).mkdir(parents=True)
    endings: list[str | None] = []
    jobs = [(image.photo, folder, place, max_side) for place, image in enumerate(collection.images)]
    with ThreadPoolExecutor(_WORKERS) as pool:
        for ending in pool.map(lambda job: _write_photo(*job), jobs):
            endings.append(ending)
            report(len(endings))
    for name, chunk in Site(collection).chunks():
        (folder / name).write_bytes(chunk.data)
    there = [ending is not None for ending in endings]
    (folder / "data" / "index.js").write_bytes(index_script(collection, endings, there))
    for name in ("theme.css", *reversed(PAGE)):
        (folder / name).write_bytes(page_file(name).data)


def _write_photo(photo: Photo | None, folder: Path, place: int, max_side: int | None) -> str | None:
    """Write the photo and its thumbnail; the ending of its name, None when it cannot be read."""
    if photo is None:
        return None
    try:
        data, ending, _ = web_picture(photo, max_side)
        small = thumbnail(photo)
    except ImageError:
        return None
    (folder / "images" / f"{place:06d}{ending}").write_bytes(data)
    (folder / "thumbnails" / f"{place:06d}.jpg").write_bytes(small)
    return ending
