"""Decoding pictures in the background, a few ahead of the model."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from densecap.errors import UserError
from densecap.prediction.sources import Frame, Unread

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class Picture:
    """One picture of the source: ``image`` (3, H, W) uint8 RGB, or None and the ``problem`` why it cannot be read."""

    image_id: str
    name: str
    frame: Frame | None = None
    image: Tensor | None = None
    problem: str = ""
    seconds: float = 0.0


def read_pictures(source: Iterable[Unread], batch_size: int) -> Iterator[list[Picture]]:
    """Pictures in the given order, in lists of ``batch_size``; about two lists are decoded ahead.

    When a live stream's newest picture comes, what is there is given at once, as shorter lists. A file that cannot be
    read takes its place in a list with its problem; nothing is raised for it.
    """
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1), thread_name_prefix="decode") as pool:
        waiting: deque[Future[Picture]] = deque()
        try:
            for item in source:
                waiting.append(pool.submit(_read, item))
                while waiting and (item.is_latest or len(waiting) >= 3 * batch_size):
                    yield _first(waiting, batch_size)
            while waiting:
                yield _first(waiting, batch_size)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _first(waiting: deque[Future[Picture]], count: int) -> list[Picture]:
    return [waiting.popleft().result() for _ in range(min(count, len(waiting)))]


def _read(item: Unread) -> Picture:
    start = time.perf_counter()
    picture = Picture(item.image_id, item.name, item.frame)
    try:
        picture.image = item.read()
    except (UserError, OSError, MemoryError) as error:
        picture.problem = str(error).removeprefix(f"{item.name} ") or type(error).__name__
    picture.seconds = time.perf_counter() - start
    return picture
