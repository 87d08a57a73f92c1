"""Running the application until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator

import uvicorn
from fastapi import FastAPI

from densecap.serving.limits import Limits
from densecap.serving.tls import Certificate

#: Seconds that answers under way get when the server stops.
_LAST_ANSWERS = 5


class _Server(uvicorn.Server):
    """Stops at the first Ctrl-C or TERM and returns; a second one ends it at once."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop, taken = asyncio.get_running_loop(), []
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):  # another system, another thread
                loop.add_signal_handler(number, self.handle_exit, number, None)
                taken.append(number)
        try:
            yield
        finally:
            for number in taken:
                loop.remove_signal_handler(number)


def run_app(
    app: FastAPI,
    listening: socket.socket,
    limits: Limits,
    certificate: Certificate | None = None,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve until Ctrl-C or TERM; ``ready`` is called when requests are answered."""
    config = uvicorn.Config(
        app,
        log_level="error",
        access_log=False,
        server_header=False,
        ws_max_size=2 * limits.max_upload,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=_LAST_ANSWERS,
        ssl_certfile=None if certificate is None else str(certificate.cert),
        ssl_keyfile=None if certificate is None else str(certificate.key),
    )
    server = _Server(config, ready)
    asyncio.run(server.serve([listening]))
