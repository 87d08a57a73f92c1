"""The parts of the data's way, each beside the plain loop over the same files that does only what it must."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from densecap.benchmark.parts import Part
from densecap.benchmark.photos import PhotoReader
from densecap.data.datamodule import CaptioningDataModule
from densecap.data.image_pass import JPEG_QUALITY
from densecap.data.images import needs_reencoding, read_bytes, read_image
from densecap.data.jpeg_codec import encode_as_jpeg
from densecap.data.preparation import build_region_file
from densecap.data.prepared import PreparationOptions
from densecap.ops.resize import resize_image


class DataParts:
    """Parts that read ``count`` of the photo files ``paths`` (repeated if need be); they write into ``folder``.

    ``preprocess_size`` and ``image_size`` are the pixels of the longest side that is stored and that the model sees.
    """

    def __init__(
        self, paths: Sequence[Path], count: int, folder: Path, image_size: int, preprocess_size: int, num_workers: int
    ) -> None:
        self.reader = PhotoReader(paths, count)
        self.paths, self.folder, self.num_workers = self.reader.paths, folder, num_workers
        self.image_size, self.preprocess_size = image_size, preprocess_size

    def part(self, name: str) -> Part:
        """The part of that name, one of ``parts.DATA_PARTS``."""
        return getattr(self, name)()

    def decode(self) -> Part:
        """One thread."""
        return Part("decode", lambda: [read_image(path) for path in self.paths], len(self.paths))

    def preprocess(self) -> Part:
        """As many threads as torch uses; the loop decodes every file, and shrinks and writes those too large."""
        threads = torch.get_num_threads()

        def plain(path: Path) -> None:
            data = path.read_bytes()
            image = read_image(data)
            if needs_reencoding(data, self.preprocess_size):
                encode_as_jpeg(resize_image(image, self.preprocess_size), JPEG_QUALITY)

        written = sum(needs_reencoding(read_bytes(path), self.preprocess_size) for path in self.paths)
        note = f"{threads} threads, {written} of {len(self.paths)} files written anew at {self.preprocess_size} pixels"
        run, count = self._prepare, len(self.paths)
        return Part("preprocess", run, count, reference=lambda: in_threads(plain, self.paths, threads), note=note)

    def loader(self) -> Part:
        """Batches of one image, by so many worker processes; the loop has as many threads."""
        module = CaptioningDataModule(self._prepare(), self.image_size, num_workers=self.num_workers)
        loader = module.train_dataloader()

        def run() -> None:
            for _ in loader:
                pass

        file = module.dataset("train").file
        images = [file.image_bytes(index) for index in range(len(file))]

        def plain(data: bytes) -> None:
            resize_image(read_image(data), self.image_size)

        threads = max(1, self.num_workers)
        note = f"{self.num_workers} workers, {self.image_size} pixels"
        return Part("loader", run, len(images), reference=lambda: in_threads(plain, images, threads), note=note)

    def _prepare(self) -> Path:
        file = self.folder / "benchmark.h5"
        options = PreparationOptions("benchmark", image_size=self.preprocess_size, min_token_count=1)
        quiet = Console(file=io.StringIO())
        build_region_file(self.reader, options, file, torch.get_num_threads(), quiet)
        return file


def in_threads(work: Callable[[Any], object], items: Sequence[Any], threads: int) -> None:
    """Do ``work`` on all items, each thread with one thread of torch."""
    with one_torch_thread(), ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        for future in [pool.submit(work, item) for item in items]:
            future.result()


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """torch works in the calling thread alone, and as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
