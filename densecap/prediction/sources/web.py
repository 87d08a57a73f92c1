"""Asking web servers for pictures: with a login, a time limit and a size limit, into memory."""

from __future__ import annotations

import http.client
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from densecap.data.images import decode_image
from densecap.errors import UserError
from densecap.prediction.sources.addresses import shown, split_login
from densecap.prediction.sources.multipart import boundary_in, parts
from densecap.prediction.sources.settings import SourceSettings

if TYPE_CHECKING:
    from torch import Tensor

MULTIPART = "multipart/x-mixed-replace"

_CHUNK = 1 << 16

#: A picture that is still arriving after so many times ``timeout`` is given up.
_PATIENCE = 6


@contextmanager
def asked(address: str, timeout: float) -> Iterator[http.client.HTTPResponse]:
    """The answer of a server, whose body is not read yet; a user and password in the address are its login.

    Errors: UserError with the reason when it cannot be had or breaks off, also while the body is read.
    """
    clean, login = split_login(address)
    handlers: list[urllib.request.BaseHandler] = []
    if login is not None:
        passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        passwords.add_password(None, clean, login.user, login.password)
        handlers = [urllib.request.HTTPBasicAuthHandler(passwords), urllib.request.HTTPDigestAuthHandler(passwords)]
    request = urllib.request.Request(clean, headers={"User-Agent": "densecap", "Accept-Encoding": "identity"})
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=timeout) as answer:
            yield answer
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise UserError(f"{shown(address)} {reason_of(error, timeout)}") from None


def read_picture(address: str, settings: SourceSettings) -> Tensor:
    """The (3, H, W) uint8 RGB picture at an address. Errors: UserError with the reason."""
    name = shown(address)
    with asked(address, settings.timeout) as answer:
        kind = content_type(answer)
        if kind == MULTIPART:
            raise UserError(f"{name} is a stream of pictures: give it as a source of its own, source={name}")
        if kind in ("text/html", "application/xhtml+xml"):
            raise UserError(f"{name} is a page ({kind}), not a picture")
        data = _body(answer, name, settings)
    return decode_image(data, name)


def pictures_of_stream(address: str, settings: SourceSettings) -> Iterator[bytes]:
    """The pictures, as files in memory, that one answer of a camera sends (MJPEG).

    Errors: UserError when it breaks off, or is something else.
    """
    name = shown(address)
    with asked(address, settings.timeout) as answer:
        kind = content_type(answer)
        if kind != MULTIPART:
            raise UserError(f"{name} is {kind or 'something'} now, not a stream of pictures")
        boundary = boundary_in(answer.headers.get("Content-Type", ""))
        yield from parts(answer.read1, boundary, settings.max_bytes)


def content_type(answer: http.client.HTTPResponse) -> str:
    return answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def reason_of(error: Exception, timeout: float) -> str:
    """What went wrong, in few words that follow the address."""
    if isinstance(error, urllib.error.HTTPError):
        return f"cannot be fetched: the server answers {error.code} {error.reason}"
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return f"cannot be fetched: no answer within {timeout:g} s"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"cannot be fetched: its certificate is not trusted ({cause.verify_message})"
    text = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return f"cannot be fetched: {text[:1].lower()}{text[1:]}"


def _body(answer: http.client.HTTPResponse, name: str, settings: SourceSettings) -> bytes:
    """Errors: UserError when it is too large, arrives too slowly or only in part."""
    length, data = answer.headers.get("Content-Length", ""), bytearray()
    until = time.monotonic() + _PATIENCE * settings.timeout
    too_large = f"{name} is larger than frames.max_bytes={settings.max_bytes}"
    if length.isdigit() and int(length) > settings.max_bytes:
        raise UserError(too_large)
    while block := answer.read1(_CHUNK):
        data += block
        if len(data) > settings.max_bytes:
            raise UserError(too_large)
        if time.monotonic() > until:
            raise UserError(f"{name} cannot be fetched: it takes more than {_PATIENCE * settings.timeout:g} s")
    if length.isdigit() and len(data) < int(length):
        raise UserError(f"{name} cannot be fetched: it broke off after {len(data)} of {length} bytes")
    if not data:
        raise UserError(f"{name} is empty")
    return bytes(data)
