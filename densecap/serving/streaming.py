"""``/v1/stream``: frames of a camera in, regions out; the newest frame wins.

While the model works on one frame the next is decoded, and whatever came in between is dropped. So a client sees the
model's own rate, and what it sees is at most one frame old.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import anyio
from starlette.websockets import WebSocket, WebSocketDisconnect

from densecap.serving.documents import hello, regions_message
from densecap.serving.images import Picture
from densecap.serving.options import Options, from_message
from densecap.serving.refusals import Refused
from densecap.serving.service import Service
from densecap.serving.tracking import Tracker

#: Bytes of the sequence number in front of a frame's picture, the most significant first.
HEAD = 4


@dataclass(frozen=True)
class _Frame:
    sequence: int
    data: bytes
    options: Options
    arrived: float

    def read(self) -> bytes:
        return self.data


@dataclass(frozen=True)
class _Ready:
    frame: _Frame
    picture: Picture


class _Newest:
    """Room for one; what is not taken yet gives way to what comes after it, and is counted."""

    def __init__(self) -> None:
        self._item: Any = None
        self._there = asyncio.Event()
        self.dropped = 0

    def put(self, item: Any) -> None:
        self.dropped += self._item is not None
        self._item = item
        self._there.set()

    async def take(self) -> Any:
        await self._there.wait()
        self._there.clear()
        item, self._item = self._item, None
        return item


class Stream:
    """One client's connection, already accepted."""

    def __init__(self, service: Service, socket: WebSocket) -> None:
        self.service, self.socket = service, socket
        self.options = Options()
        self.tracker: Tracker | None = None
        self.received, self.ready = _Newest(), _Newest()
        self._size: tuple[int, int] | None = None

    async def run(self) -> None:
        """Serve until the client goes."""
        await self._send(hello(self.service))
        async with anyio.create_task_group() as group:
            group.start_soon(self._decode)
            group.start_soon(self._describe)
            await self._receive()
            group.cancel_scope.cancel()

    async def _receive(self) -> None:
        while True:
            message = await self.socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            try:
                self._take(message.get("bytes"), message.get("text"))
            except Refused as error:
                await self._send(error.event())

    def _take(self, data: bytes | None, text: str | None) -> None:
        if data is None:
            options = from_message(text or "", self.service.limits)
            options.settings(self.service.detection, self.service.generation)
            self._choose(options)
        elif len(data) <= HEAD:
            raise Refused(422, f"a binary message is a frame: {HEAD} bytes of its number and a picture")
        else:
            frame = _Frame(int.from_bytes(data[:HEAD], "big"), data[HEAD:], self.options, time.monotonic())
            self.received.put(frame)

    def _choose(self, options: Options) -> None:
        """Take options for the frames to come; captions of others than these are not kept."""
        same = (options.track, options.beam_size) == (self.options.track, self.options.beam_size)
        if not same:
            self.tracker = Tracker() if options.track else None
        self.options = options

    async def _decode(self) -> None:
        while True:
            frame: _Frame = await self.received.take()
            try:
                if len(frame.data) > self.service.limits.max_upload:
                    raise Refused(
                        413, f"the frame is too large: at most {self.service.limits.max_upload:,} bytes are taken"
                    )
                picture = await self.service.decode(frame.read, "the frame", frame.options)
            except Refused as error:
                await self._send(error.event(frame.sequence))
            else:
                self.ready.put(_Ready(frame, picture))

    async def _describe(self) -> None:
        while True:
            ready: _Ready = await self.ready.take()
            frame = ready.frame
            try:
                tracker = self._tracker_for(ready)
                answer = await self.service.describe(ready.picture, frame.options, self, tracker)
            except Refused as error:
                await self._send(error.event(frame.sequence))
                continue
            dropped, self.received.dropped, self.ready.dropped = self.received.dropped + self.ready.dropped, 0, 0
            total = time.monotonic() - frame.arrived
            await self._send(regions_message(frame.sequence, ready.picture, answer, total, dropped))

    def _tracker_for(self, ready: _Ready) -> Tracker | None:
        """The tracker, a new one when the camera's size changed."""
        size = ready.picture.width, ready.picture.height
        if self.tracker is not None and size != self._size:
            self.tracker = Tracker()
        self._size = size
        return self.tracker if ready.frame.options.track else None

    async def _send(self, message: dict[str, Any]) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):  # the client has gone, which ``_receive`` finds out
            await self.socket.send_json(message)


async def serve_stream(service: Service, socket: WebSocket) -> None:
    """Accept a connection and serve it; one that finds no room is told so and closed."""
    await socket.accept()
    if service.streams >= service.limits.max_streams:
        refused = Refused(
            503, f"the server is busy: {service.limits.max_streams} live connections are served at once", 5
        )
        with suppress(WebSocketDisconnect, RuntimeError):
            await socket.send_json(refused.event())
            await socket.close(1013, "try again later")
        return
    service.streams += 1
    try:
        await Stream(service, socket).run()
    finally:
        service.streams -= 1
