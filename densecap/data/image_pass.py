"""The image part of preprocessing: every file read, checked, shrunk if need be and stored as JPEG, on all cores.

Work is cut into parts of ``PART_SIZE`` images. A finished part is one file in a folder next to the final file: a line
of JSON (``key`` and one row an image) and then the JPEG bytes. A run that was killed finds the parts that were
complete; ``key`` is a digest of the options and of the path, size and time of each image, so none is reused wrongly.

Threads suffice for all cores: decoding, resizing and encoding let other threads run, what is left of Python takes a
few per cent of the time, and there is no start-up to pay for and no process that could survive a kill.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch

from densecap.data.images import ImageError, decode_image, needs_reencoding, read_bytes
from densecap.data.jpeg_codec import encode_as_jpeg
from densecap.ops.resize import resize_image

PART_SIZE = 32

#: Quality of re-encoded images in libjpeg's scale.
JPEG_QUALITY = 92

#: To be raised when the same file would come out as other bytes.
FORMAT_VERSION = 1


class StoredImage(NamedTuple):
    """One row of a part: bytes used, (height, width) stored and original, and why the image is left out, if it is."""

    num_bytes: int
    height: int
    width: int
    original_height: int
    original_width: int
    copied: bool
    error: str | None


class ImagePass:
    """Stores ``paths`` with ``longest`` pixels at most on their longest side, in part files in ``folder``."""

    def __init__(self, paths: Sequence[Path], longest: int, folder: Path) -> None:
        self.paths = paths
        self.longest = longest
        self.folder = folder
        self._stop = threading.Event()

    @property
    def num_parts(self) -> int:
        return -(-len(self.paths) // PART_SIZE)

    def run(self, num_threads: int, advance: Callable[[int], None]) -> tuple[list[StoredImage], int]:
        """All rows in the order of ``paths``, and how many images came from an earlier run.

        ``advance`` is called, from any thread, with the number of images just done. An interrupt ends the run after
        the images at hand; finished parts stay.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with _torch_threads_restored(), ThreadPoolExecutor(num_threads, "image") as pool:
            try:
                futures = [pool.submit(self._finish_part, index, advance) for index in range(self.num_parts)]
                done = [future.result() for future in futures]
            except BaseException:
                self._stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        rows = [row for part, _ in done for row in part]
        return rows, sum(len(part) for part, was_there in done if was_there)

    def jpegs(self) -> Iterator[bytes]:
        """The bytes of all images in the order of ``paths``, empty for those left out."""
        for index in range(self.num_parts):
            with self._part_path(index).open("rb") as file:
                rows = json.loads(file.readline())["images"]
                for num_bytes, *_ in rows:
                    yield file.read(num_bytes)

    def _finish_part(self, index: int, advance: Callable[[int], None]) -> tuple[list[StoredImage], bool]:
        torch.set_num_threads(1)  # holds for the calling thread
        paths = self.paths[index * PART_SIZE : (index + 1) * PART_SIZE]
        key, target = self._key(paths), self._part_path(index)
        rows = _read_finished(target, key)
        if rows is not None:
            advance(len(rows))
            return rows, True
        rows, blobs = [], []
        for path in paths:
            if self._stop.is_set():
                raise InterruptedError
            row, blob = _store(path, self.longest)
            rows.append(row)
            blobs.append(blob)
            advance(1)
        header = json.dumps({"key": key, "images": rows}).encode()
        temporary = target.with_suffix(".tmp")
        with temporary.open("wb") as file:
            file.writelines([header, b"\n", *blobs])
        temporary.replace(target)
        return rows, False

    def _part_path(self, index: int) -> Path:
        return self.folder / f"{index:06d}.part"

    def _key(self, paths: Sequence[Path]) -> str:
        digest = hashlib.sha256(json.dumps([FORMAT_VERSION, JPEG_QUALITY, self.longest]).encode())
        for path in paths:
            try:
                status = path.stat()
                state = f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n"
            except OSError:
                state = f"{path}\0absent\n"
            digest.update(state.encode("utf-8", "surrogateescape"))
        return digest.hexdigest()


def _store(path: Path, longest: int) -> tuple[StoredImage, bytes]:
    """The row and the JPEG file of an image; small plain JPEGs are decoded too, so that no damaged one is kept."""
    try:
        data = read_bytes(path)
        image = decode_image(data, str(path))
    except ImageError as error:
        return StoredImage(0, 0, 0, 0, 0, False, str(error)), b""
    original_height, original_width = image.shape[-2:]
    copied = not needs_reencoding(data, longest)
    if not copied:
        image = resize_image(image, longest) if max(image.shape) > longest else image
        data = encode_as_jpeg(image, JPEG_QUALITY)
    height, width = image.shape[-2:]
    return StoredImage(len(data), height, width, original_height, original_width, copied, None), data


def _read_finished(path: Path, key: str) -> list[StoredImage] | None:
    """The rows of a part that was finished under the same ``key``, else None."""
    try:
        with path.open("rb") as file:
            header = json.loads(file.readline())
            rows = [StoredImage(*row) for row in header["images"]]
            complete = file.seek(0, os.SEEK_END) - len(json.dumps(header).encode()) - 1 == sum(row[0] for row in rows)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return rows if complete and header["key"] == key else None


@contextmanager
def _torch_threads_restored() -> Iterator[None]:
    """Threads that set their own number of torch threads set it for later ones too: undo that at the end."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)
