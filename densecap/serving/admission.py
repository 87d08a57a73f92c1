"""Who is let in: a number of pictures at once, and a number of requests a minute from one address."""

from __future__ import annotations

import ipaddress
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from densecap.serving.refusals import Refused

#: Addresses that are remembered before those that have been quiet are forgotten.
_REMEMBERED = 10_000


class Room:
    """Places for pictures that were accepted and are not answered yet. Used by one thread, the event loop's."""

    def __init__(self, places: int) -> None:
        self.places, self.taken = places, 0
        self._seconds = 0.1  # that one picture takes, over all devices

    @contextmanager
    def place(self) -> Iterator[Place]:
        """A place as long as the block lasts; errors: Refused (503) when none is left."""
        place = Place(self)
        place.more(1)
        try:
            yield place
        finally:
            self.taken -= place.count

    def answered(self, pictures: int, seconds: float) -> None:
        """Note how long a request took, for a word on when to come again."""
        own = seconds / max(pictures, 1) / max(self.taken, 1)
        self._seconds += 0.1 * (own - self._seconds)

    @property
    def retry_after(self) -> int:
        """Whole seconds until there is likely room."""
        return max(1, min(60, math.ceil(self._seconds * self.taken / 2)))


@dataclass
class Place:
    """What one request holds of the room."""

    room: Room
    count: int = 0

    def more(self, pictures: int) -> None:
        """Room for more pictures; errors: Refused (503)."""
        if self.room.taken + pictures > self.room.places:
            raise Refused(503, "the server is busy: its queue is full, please try again shortly", self.room.retry_after)
        self.room.taken += pictures
        self.count += pictures


class Rate:
    """A bucket of requests for each address, refilled evenly over a minute (None: no bound)."""

    def __init__(self, per_minute: int | None, now: Callable[[], float] = time.monotonic) -> None:
        self.per_minute, self._now = per_minute, now
        self._buckets: dict[str, tuple[float, float]] = {}  # requests left, when

    def check(self, address: str) -> None:
        """Count a request; errors: Refused (429) with the seconds until the next is free."""
        if self.per_minute is None:
            return
        now, key = self._now(), _network(address)
        left, since = self._buckets.get(key, (float(self.per_minute), now))
        left = min(float(self.per_minute), left + (now - since) * self.per_minute / 60)
        if left < 1:
            wait = math.ceil((1 - left) * 60 / self.per_minute)
            raise Refused(429, f"too many requests: {self.per_minute} a minute are served to one address", wait)
        self._buckets[key] = (left - 1, now)
        if len(self._buckets) > _REMEMBERED:
            self._buckets = {key: own for key, own in self._buckets.items() if now - own[1] < 60}


def _network(address: str) -> str:
    """Whom an address belongs to: itself, of IPv6 its /64, which one household has as a whole."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
