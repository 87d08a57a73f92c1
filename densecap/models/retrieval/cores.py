"""The same work on many blocks, each block on a core of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

Result = TypeVar("Result")


def on_all_cores(work: Callable[[int], Result], count: int, device: torch.device) -> Iterator[Result]:
    """Results of ``work(0)`` to ``work(count - 1)`` in this order, a few blocks ahead.

    As many threads as torch uses work on as many blocks, and torch itself uses one meanwhile. On a GPU the blocks
    simply follow each other.
    """
    threads = torch.get_num_threads()
    if device.type != "cpu" or threads == 1 or count < 2:
        yield from map(work, range(count))
        return
    waiting: deque[Future[Result]] = deque()
    torch.set_num_threads(1)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="block")
    try:
        for index in range(count):
            waiting.append(pool.submit(work, index))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        torch.set_num_threads(threads)
