"""A small web server for the page, for the person at this computer."""

from __future__ import annotations

import secrets
import socket
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from densecap.errors import UserError
from densecap.viewer.site import Site

#: Names of this computer, under which a page that listens here alone may be asked for: a page of somebody else's, whose
#: name was made to point here, asks under its own.
LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})

#: Seconds after which a silent connection is closed.
TIMEOUT = 60

_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'"
_HEADERS = {
    "Content-Security-Policy": f"{_POLICY}; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


class ViewerServer(ThreadingHTTPServer):
    """Serves a site; listens once it is made. ``port`` 0 takes any that is free.

    Errors: UserError when the address cannot be had.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, site: Site, host: str = "127.0.0.1", port: int = 8001) -> None:
        self.site, self.wanted_host = site, host
        self.tag = f'"{secrets.token_hex(8)}"'
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise UserError(
                f"cannot listen on {host} port {port}: {reason}; choose another with port=..., 0 takes any"
            ) from error

    @property
    def url(self) -> str:
        """Where a browser on this computer finds the page."""
        host = "127.0.0.1" if self.wanted_host in ("", "0.0.0.0") else self.wanted_host
        host = "::1" if host == "::" else host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.server_address[1]}/"

    def is_for_us(self, host_header: str) -> bool:
        """Whether a request was meant for a name of this server."""
        if self.wanted_host not in LOCAL:
            return True
        return urlsplit(f"//{host_header}").hostname in LOCAL

    def server_bind(self) -> None:
        """Without looking up a name for the address, which takes seconds on some machines."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.wanted_host, self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Browsers hang up as they please: nothing to tell."""


class _Handler(BaseHTTPRequestHandler):
    server: ViewerServer
    protocol_version = "HTTP/1.1"
    timeout = TIMEOUT

    def version_string(self) -> str:
        return "densecap"

    def log_message(self, format: str, *args: Any) -> None:
        """A page loads hundreds of files."""

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, with_body: bool) -> None:
        if not self._is_for_us():
            return self._send(HTTPStatus.MISDIRECTED_REQUEST, b"this name is not one of this server\n", with_body)
        name = unquote(urlsplit(self.path).path).removeprefix("/") or "index.html"
        if self.headers.get("If-None-Match") == self.server.tag:
            return self._send(HTTPStatus.NOT_MODIFIED, b"", False)
        found = self.server.site.read(name)
        if found is None:
            return self._send(HTTPStatus.NOT_FOUND, b"not found\n", with_body)
        return self._send(HTTPStatus.OK, found.data, with_body, found.media_type)

    def _is_for_us(self) -> bool:
        try:
            return self.server.is_for_us(self.headers.get("Host", ""))
        except ValueError:
            return False

    def _send(self, status: HTTPStatus, data: bytes, with_body: bool, media_type: str = "text/plain") -> None:
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        if status in (HTTPStatus.OK, HTTPStatus.NOT_MODIFIED):
            self.send_header("ETag", self.server.tag)
        if status != HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if with_body:
            self.wfile.write(data)
