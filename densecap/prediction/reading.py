"""Decoding pictures in the background, a few ahead of the model."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from densecap.data.images import read_image
from densecap.errors import UserError


@dataclass
class Picture:
    """One file of the source: ``image`` (3, H, W) uint8 RGB, or None and the ``problem`` why it cannot be read."""

    image_id: str
    path: Path
    image: Tensor | None = None
    problem: str = ""
    seconds: float = 0.0


def read_pictures(paths: Sequence[Path], ids: Sequence[str], batch_size: int) -> Iterator[list[Picture]]:
    """Pictures in the given order, in lists of ``batch_size``; about two lists are decoded ahead.

    A file that cannot be read takes its place in a list with its problem; nothing is raised for it.
    """
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1), thread_name_prefix="decode") as pool:
        waiting: deque[Future[Picture]] = deque()
        files = iter(zip(ids, paths))
        try:
            for image_id, path in files:
                waiting.append(pool.submit(_read, image_id, path))
                if len(waiting) >= 3 * batch_size:
                    yield [waiting.popleft().result() for _ in range(batch_size)]
            while waiting:
                yield [waiting.popleft().result() for _ in range(min(batch_size, len(waiting)))]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _read(image_id: str, path: Path) -> Picture:
    start = time.perf_counter()
    try:
        image = read_image(path)
    except (UserError, OSError, MemoryError) as error:
        return Picture(image_id, path, problem=str(error).removeprefix(f"{path} ") or type(error).__name__)
    return Picture(image_id, path, image, seconds=time.perf_counter() - start)
