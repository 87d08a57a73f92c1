"""Clients that each send a picture, wait for the answer and send the next, for a while."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from densecap.benchmark.load.connection import Connection


@dataclass
class Load:
    """What ``clients`` saw in ``seconds``: the time of each good answer in seconds, how often what went wrong, and
    the server's memory at each second, in bytes."""

    clients: int
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    memory: list[int] = field(default_factory=list)

    @property
    def requests_per_second(self) -> float:
        return len(self.latencies) / self.seconds if self.seconds else 0.0

    def percentile(self, percent: float) -> float:
        """The latency that so many percent of the answers do not exceed (nearest rank); nan without any."""
        ordered = sorted(self.latencies)
        if not ordered:
            return float("nan")
        rank = -(-percent * len(ordered) // 100)
        return ordered[max(0, int(rank) - 1)]

    @property
    def memory_growth(self) -> float | None:
        """By which part of itself memory grew from a third of the time to its end; None where it is not known.

        It goes up and down with every batch, so the highest in a sixth of the time before each of the two is taken.
        """
        third, window = len(self.memory) // 3, max(1, len(self.memory) // 6)
        if not third or not self.memory[0]:
            return None
        return max(self.memory[-window:]) / max(self.memory[third - window + 1 : third + 1]) - 1


async def press(
    url: str, requests: Sequence[bytes], clients: int, seconds: float, memory: Callable[[], int] = lambda: 0
) -> Load:
    """The load of so many clients, who take turns at the requests; those under way at the end are waited for."""
    load = Load(clients)
    start = time.perf_counter()
    end = start + seconds
    following = itertools.cycle(requests)
    watching = asyncio.create_task(_watch(load, memory))
    await asyncio.gather(*(_client(Connection(url), following, end, load) for _ in range(clients)))
    load.seconds = time.perf_counter() - start
    watching.cancel()
    load.memory.append(memory())
    return load


async def _client(connection: Connection, requests: itertools.cycle[bytes], end: float, load: Load) -> None:
    while (start := time.perf_counter()) < end:
        try:
            status, body = await connection.send(next(requests))
        except OSError as error:
            load.errors[str(error)] += 1
            await asyncio.sleep(0.1)
            continue
        if status == 200:
            load.latencies.append(time.perf_counter() - start)
        else:
            load.errors[f"{status}: {body[:200].decode(errors='replace')}"] += 1
            await asyncio.sleep(0.1)
    connection.close()


async def _watch(load: Load, memory: Callable[[], int]) -> None:
    while True:
        load.memory.append(memory())
        await asyncio.sleep(1)
