"""Who may ask: the name the server is called by, pages of other sites, the token, and how often.

A page of another site that somebody has open can send requests to servers on the same machine, also by giving its own
name this machine's address (DNS rebinding). Such requests carry a foreign ``Origin`` or ``Host`` and are refused.
"""

from __future__ import annotations

import hmac
import ipaddress
import socket
from collections.abc import Sequence
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from densecap.serving.admission import Rate
from densecap.serving.refusals import Refused

#: What a page may do: nothing from elsewhere, camera for ourselves.
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}

#: What needs the token and counts as a request. The page itself holds nothing secret.
GUARDED = ("/v1/predict", "/v1/stream", "/v1/model")
_COUNTED = ("/v1/predict", "/v1/stream")

_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class Access:
    """Middleware of these rules, and of the headers that every answer carries.

    ``hosts`` are names by which the server may be called besides this machine's own and plain addresses; "*" is any.
    When it listens ``locally`` only the names of the machine itself count.
    """

    def __init__(self, app: ASGIApp, token: str | None, rate: Rate, locally: bool, hosts: Sequence[str] = ()) -> None:
        self.app, self.rate, self.locally = app, rate, locally
        self._token = None if token is None else token.encode()
        own = set() if locally else {socket.gethostname().lower(), f"{socket.gethostname().lower()}.local"}
        self._hosts = _LOCAL_NAMES | own | {name.lower() for name in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        try:
            self._check(scope)
        except Refused as error:
            await _refuse(error, scope, receive, _with_headers(send))
            return
        await self.app(scope, receive, _with_headers(send))

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        self._check_host(headers.get("host", ""))
        if scope["type"] == "websocket" or scope["method"] not in ("GET", "HEAD"):
            _check_origin(headers)
        path = scope["path"]
        if path in _COUNTED:
            self.rate.check(scope["client"][0] if scope.get("client") else "")
        if path in GUARDED:
            self._check_token(headers, scope)

    def _check_host(self, host: str) -> None:
        name = _name_of(host)
        if "*" in self._hosts or name in self._hosts or (not self.locally and _is_address(name)):
            return
        raise Refused(403, "the server does not go by this name: call it by its address, or start it with hosts=[NAME]")

    def _check_token(self, headers: Headers, scope: Scope) -> None:
        if self._token is None:
            return
        kind, _, text = headers.get("authorization", "").partition(" ")
        given = text.strip().encode("latin-1")
        if kind.lower() != "bearer":
            given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[-1].encode()
        if not hmac.compare_digest(given, self._token):
            wanted = "wrong token" if given else "a token is needed"
            raise Refused(401, f"{wanted}: send the header Authorization: Bearer TOKEN", headers=_CHALLENGE)


_CHALLENGE = {"WWW-Authenticate": "Bearer"}


def _check_origin(headers: Headers) -> None:
    """Errors: Refused (403) for what a page of another site sends; programs send no Origin."""
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower():
        raise Refused(403, "pages of other sites may not use this server")


def _name_of(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".").lower()
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


async def _refuse(error: Refused, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket" and error.retry_after is not None:
        await _tell_and_close(error, receive, send)
        return
    await JSONResponse(error.body(), error.status, error.headers)(scope, receive, send)


async def _tell_and_close(error: Refused, receive: Receive, send: Send) -> None:
    """Browsers do not show pages why a connection was refused, so it is accepted to say when to come again."""
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": JSONResponse(error.event()).body.decode()})  # type: ignore[union-attr]
    await send({"type": "websocket.close", "code": 1013, "reason": "try again later"})


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending
