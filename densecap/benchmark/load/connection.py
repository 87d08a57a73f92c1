"""A client of one connection that is kept open: sends requests that were put together before, and reads answers."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from urllib.parse import urlsplit

#: Between the parts of a body; no picture holds it.
_BOUNDARY = "densecap-7f3a9c51e2"


class Connection:
    """HTTP/1.1 over one socket (RFC 9112), as far as this server's answers need it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "127.0.0.1", parts.port or (443 if parts.scheme == "https" else 80)
        self.tls = ssl._create_unverified_context() if parts.scheme == "https" else None  # the certificate is its own
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def send(self, request: bytes) -> tuple[int, bytes]:
        """The status and the body of the answer; errors: OSError, also when the connection ends too early."""
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(self.host, self.port, ssl=self.tls)
        assert self._reader is not None
        self._writer.write(request)
        try:
            await self._writer.drain()
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            length = int(head.partition("content-length:")[2].partition("\r\n")[0] or 0)
            body = await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            self.close()
            raise OSError("the connection ended before the answer") from error
        if "\r\nconnection: close" in head:
            self.close()
        return int(head.split()[1]), body

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


def upload_request(url: str, picture: Path, query: str = "", token: str = "") -> bytes:
    """The bytes of a ``POST /v1/predict`` of one picture."""
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="{picture.name}"\r\n\r\n'
    body = head.encode() + picture.read_bytes() + f"\r\n--{_BOUNDARY}--\r\n".encode()
    lines = [
        f"POST /v1/predict{f'?{query}' if query else ''} HTTP/1.1",
        f"Host: {urlsplit(url).netloc}",
        f"Content-Type: multipart/form-data; boundary={_BOUNDARY}",
        f"Content-Length: {len(body)}",
        *([f"Authorization: Bearer {token}"] if token else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body
