"""The files of a multipart request, counted while they arrive."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive

from densecap.serving.limits import Limits
from densecap.serving.refusals import Refused

#: Field of the form that pictures are in.
FIELD = "image"


@dataclass(frozen=True)
class Upload:
    """A file of a request under a name that is safe to show."""

    name: str
    file: UploadFile

    def read(self) -> bytes:
        """Its bytes; blocks."""
        return self.file.file.read()


@asynccontextmanager
async def uploads(request: Request, limits: Limits) -> AsyncIterator[list[Upload]]:
    """The pictures of a request; errors: Refused with 408, 413, 415 or 422."""
    _check_head(request, limits)
    own = Request(request.scope, _Counted(request.receive, limits.max_upload))
    form = None
    try:
        async with asyncio.timeout(limits.upload_seconds):
            form = await own.form(max_files=limits.max_images, max_fields=8)
        yield _files([(name, value) for name, value in form.multi_items()])
    except TimeoutError:
        raise Refused(408, f"the body did not arrive within {limits.upload_seconds} seconds") from None
    except HTTPException as error:
        raise Refused(422, _sentence(error, limits)) from None
    except ClientDisconnect:
        raise Refused(422, "the body is incomplete") from None
    finally:
        if form is not None:
            await form.close()


def _check_head(request: Request, limits: Limits) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        raise Refused(415, f"pictures are sent as multipart/form-data in the field {FIELD}, not as {_shown(kind)}")
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > limits.max_upload:
        raise Refused(413, _too_much(limits.max_upload))


def _files(items: list[tuple[str, UploadFile | str]]) -> list[Upload]:
    for name, value in items:
        if name != FIELD:
            raise Refused(422, f"there is no field {_shown(name)}; pictures are sent in the field {FIELD}")
        if isinstance(value, str):
            raise Refused(422, f"the field {FIELD} holds text; send a file in it")
    if not items:
        raise Refused(422, f"the request has no picture; send one in the field {FIELD}")
    several = len(items) > 1
    return [
        Upload(_safe_name(value.filename, number if several else None), value)
        for number, (_, value) in enumerate(items, start=1)
        if not isinstance(value, str)
    ]


def _safe_name(given: str | None, number: int | None) -> str:
    """The last part of a file's name without what a terminal or page might mistake, or a word for it."""
    last = re.split(r"[/\\]", given or "")[-1]
    clean = "".join(character for character in last if character.isprintable())[-80:].strip()
    return clean or ("image" if number is None else f"image {number}")


def _shown(text: str) -> str:
    return repr(text[:40]) if text else "nothing"


def _too_much(most: int) -> str:
    return f"the upload is too large: at most {most:,} bytes are taken"


def _sentence(error: HTTPException, limits: Limits) -> str:
    if "Too many files" in error.detail:
        return f"the request has too many pictures: at most {limits.max_images} are taken at once"
    return f"the body cannot be read as multipart/form-data: {str(error.detail).rstrip('.')}"


class _Counted:
    """What receives a body, up to a number of bytes; errors: Refused (413) when it is more.

    What is left of a body then is thrown away by the HTTP server as it comes.
    """

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive, self._most, self._count = receive, most, 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._count += len(message.get("body", b""))
        if self._count > self._most:
            raise Refused(413, _too_much(self._most))
        return message
