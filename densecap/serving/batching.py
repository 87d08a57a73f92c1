"""Dynamic batching: whatever waits is described together, clients take turns, and nobody waits for a batch to fill.

A thread for each device takes work whenever it is free. What has the same settings goes into one batch; the newest
frame of a camera and a request's pictures are alike here.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass
class Work(Generic[Item, Answer]):
    """One picture that waits: ``client`` takes turns with others, ``group`` may share a batch. Times are monotonic."""

    item: Item
    client: Hashable
    group: Hashable
    future: Future[Answer] = field(default_factory=Future)
    arrived: float = field(default_factory=time.monotonic)
    started: float = 0.0
    finished: float = 0.0


class Waiting(Generic[Item, Answer]):
    """What waits, by client. Whoever was served goes to the end of the row."""

    def __init__(self) -> None:
        self._rows: OrderedDict[Hashable, deque[Work[Item, Answer]]] = OrderedDict()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, work: Work[Item, Answer]) -> None:
        """Errors: RuntimeError when it is closed."""
        with self._changed:
            if self._closed:
                raise RuntimeError("the server is stopping")
            self._rows.setdefault(work.client, deque()).append(work)
            self._changed.notify()

    def take(self, most: int) -> list[Work[Item, Answer]]:
        """The next ``most`` of one group, as soon as anything waits; nothing once it is closed."""
        with self._changed:
            while True:
                batch = self._gather(most)
                if batch or self._closed:
                    return batch
                self._changed.wait()

    def close(self) -> list[Work[Item, Answer]]:
        """Let every ``take`` return; returns what is left."""
        with self._changed:
            self._closed = True
            left = [work for row in self._rows.values() for work in row]
            self._rows.clear()
            self._changed.notify_all()
            return left

    def _gather(self, most: int) -> list[Work[Item, Answer]]:
        """Round after round, one of each client whose next work is of the first one's group."""
        batch: list[Work[Item, Answer]] = []
        taken = -1
        while len(batch) < most and taken != len(batch):
            taken = len(batch)
            for client in list(self._rows):
                if len(batch) == most:
                    break
                work = self._next(client, batch[0].group if batch else None)
                if work is not None:
                    batch.append(work)
        return batch

    def _next(self, client: Hashable, group: Hashable | None) -> Work[Item, Answer] | None:
        row = self._rows[client]
        while row and row[0].future.cancelled():
            row.popleft()
        if not row:
            del self._rows[client]
            return None
        if group is not None and row[0].group != group:
            return None
        work = row.popleft()
        self._rows.move_to_end(client)
        if not row:
            del self._rows[client]
        return work if work.future.set_running_or_notify_cancel() else None


class Worker(Generic[Item, Answer]):
    """A thread that describes batches with ``describe`` until what waits is closed.

    A batch that fails is tried again one by one, so that only what is to blame fails. ``settled`` is called behind it.
    """

    def __init__(
        self,
        waiting: Waiting[Item, Answer],
        describe: Callable[[Sequence[Item]], Sequence[Answer]],
        batch_size: int,
        recover: Callable[[], None] = lambda: None,
    ) -> None:
        self.waiting, self.describe, self.batch_size, self.recover = waiting, describe, batch_size, recover
        self.thread = threading.Thread(target=self._run, name="describe", daemon=True)

    def start(self) -> None:
        self.thread.start()

    def _run(self) -> None:
        while batch := self.waiting.take(self.batch_size):
            self.settle(batch)

    def settle(self, batch: Sequence[Work[Item, Answer]]) -> None:
        """Describe a batch and hand each its answer or what went wrong with it."""
        start = time.monotonic()
        for work in batch:
            work.started = start
        try:
            answers = self.describe([work.item for work in batch])
            if len(answers) != len(batch):
                raise RuntimeError(f"{len(answers)} answers for {len(batch)} pictures")
        except Exception as error:
            self._settle_failed(batch, error)
            return
        end = time.monotonic()
        for work, answer in zip(batch, answers):
            work.finished = end
            work.future.set_result(answer)

    def _settle_failed(self, batch: Sequence[Work[Item, Answer]], error: Exception) -> None:
        self.recover()
        if len(batch) == 1:
            batch[0].finished = time.monotonic()
            batch[0].future.set_exception(error)
            return
        for work in batch:
            self.settle([work])
