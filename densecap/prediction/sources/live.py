"""Live streams: the newest picture for a model that is slower, and opening again what broke off."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from densecap.errors import UserError
from densecap.prediction.sources.background import Background
from densecap.prediction.sources.moving import Moving, Shot
from densecap.prediction.sources.settings import SourceSettings

if TYPE_CHECKING:
    from torch import Tensor

#: Pictures of a ``buffered`` stream that wait at most; then the sender has to.
_BUFFER = 64

#: Seconds before a stream is opened again for the first, second ... time; the last holds for all after it.
_PAUSES = (0.5, 2.0, 5.0)

#: What stands before the reason in the sentence of one connection.
_PHRASE = re.compile(r"(cannot be (fetched|opened)|broke off): ")

#: One connection of a stream: its pictures, each with what decodes it. Raises UserError or OSError when it breaks off.
Connect = Callable[[], "Iterator[Callable[[], Tensor]]"]


class LiveStream(Moving):
    """A stream without an end, called ``name``, whose pictures ``connect`` gives as they come.

    Numbers count what came since the beginning, times are those of arrival. A stream that breaks off is opened again,
    ``retries`` times in a row at most.
    """

    is_live = True

    def __init__(self, name: str, connect: Connect, settings: SourceSettings) -> None:
        super().__init__(name, settings)
        self._connect = connect

    def shots(self) -> Iterator[tuple[Shot, bool]]:
        newest_only = not self.settings.buffered
        arriving = iter(Background(self._arriving(), 1 if newest_only else _BUFFER, newest_only))
        interval = (self.settings.interval or 0.0) if newest_only else 0.0
        while True:
            taken = time.monotonic()
            item = next(arriving, None)
            if item is None:
                return
            yield item
            time.sleep(max(0.0, taken + interval - time.monotonic()))

    def _arriving(self) -> Iterator[Shot]:
        start = None
        for index, read in enumerate(self._reconnecting()):
            now = time.monotonic()
            start = now if start is None else start
            if self.settings.takes(index):
                yield Shot(index, now - start, read)

    def _reconnecting(self) -> Iterator[Callable[[], Tensor]]:
        failures = count = 0
        while True:
            try:
                for read in self._connect():
                    yield read
                    failures, count = 0, count + 1
                return
            except (UserError, OSError) as error:
                failures += 1
                if failures > self.settings.retries:
                    reason = _PHRASE.sub("", str(error).removeprefix(f"{self.name} "))
                    raise UserError(f"{self.name} broke off after {count} pictures: {reason}") from None
            time.sleep(_PAUSES[min(failures, len(_PAUSES)) - 1])
