"""An iterator that runs in a thread of its own, ahead of whoever takes what it gives."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Background(Generic[Item]):
    """Iterating gives each item and whether none waits behind it.

    At most ``ahead`` items wait; then the thread stands still, or with ``newest_only`` they make room for newer ones.
    An exception of ``items`` comes when all that was before it is taken. ``items`` is closed, in its thread, when it
    is at its end or nobody takes more.
    """

    def __init__(self, items: Iterator[Item], ahead: int, newest_only: bool = False) -> None:
        self._items, self._ahead, self._newest_only = items, ahead, newest_only
        self._waiting: deque[Item] = deque(maxlen=ahead if newest_only else None)
        self._changed = threading.Condition()
        self._ended = self._stopped = False
        self._error: BaseException | None = None

    def __iter__(self) -> Iterator[tuple[Item, bool]]:
        thread = threading.Thread(target=self._run, daemon=True, name="source")
        thread.start()
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._waiting or self._ended)
                    if not self._waiting:
                        break
                    item, is_latest = self._waiting.popleft(), not self._waiting
                    self._changed.notify_all()
                yield item, is_latest
            if self._error is not None:
                raise self._error
        finally:
            with self._changed:
                self._stopped = True
                self._changed.notify_all()

    def _run(self) -> None:
        try:
            for item in self._items:
                if not self._put(item):
                    break
        except BaseException as error:  # handed on to whoever iterates
            self._error = error
        finally:
            if hasattr(self._items, "close"):
                self._items.close()
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _put(self, item: Item) -> bool:
        """Whether more is wanted."""
        with self._changed:
            if not self._newest_only:
                self._changed.wait_for(lambda: self._stopped or len(self._waiting) < self._ahead)
            if not self._stopped:
                self._waiting.append(item)
                self._changed.notify_all()
            return not self._stopped
