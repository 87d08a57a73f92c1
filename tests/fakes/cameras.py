"""A web server like a camera's: one answer of JPEG pictures that follow each other, which may break off."""

from __future__ import annotations

import io
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from PIL import Image

BOUNDARY = b"frame"


def jpeg(level: int, size: tuple[int, int] = (24, 32)) -> bytes:
    """A picture of one grey."""
    file = io.BytesIO()
    Image.fromarray(np.full((*size, 3), level, np.uint8)).save(file, "jpeg", quality=95)
    return file.getvalue()


def part(picture: bytes, boundary: bytes = BOUNDARY, length: bool = True, end: bytes = b"\r\n") -> bytes:
    said = b"Content-Length: %d%s" % (len(picture), end) if length else b""
    return b"--" + boundary + end + b"Content-Type: image/jpeg" + end + said + end + picture + end


@dataclass
class Camera:
    """Sends pictures of the greys ``levels``, ``interval`` seconds apart; ``breaks`` are after how many each of the
    first connections breaks off. What is asked for under /closed ends with the closing boundary."""

    levels: list[int]
    interval: float = 0.0
    breaks: list[int] = field(default_factory=list)
    connections: int = 0
    sent: int = 0
    address: str = ""

    def __enter__(self) -> Camera:
        handler = type("Handler", (_Handler,), {"camera": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        return self

    def __exit__(self, *problem: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    camera: Camera

    def do_GET(self) -> None:
        camera = self.camera
        asked = self.headers.get("User-Agent", "")
        self.send_response(200)
        self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={BOUNDARY.decode()}")
        self.end_headers()
        camera.connections += 1
        last = camera.breaks.pop(0) if camera.breaks and asked else len(camera.levels)
        try:
            while camera.levels and last:
                self.wfile.write(part(jpeg(camera.levels.pop(0))))
                camera.sent, last = camera.sent + 1, last - 1
                time.sleep(camera.interval)
            if not camera.levels:
                self.wfile.write(b"--" + BOUNDARY + b"--\r\n")
        except (ConnectionError, BrokenPipeError):  # whoever looked has gone
            pass

    def log_message(self, *arguments: object) -> None:
        pass
