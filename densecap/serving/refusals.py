"""What a client is refused, with the HTTP status that goes with it and one sentence for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Refused(Exception):
    """A request that is not served: ``status`` as in RFC 9110, ``message`` one sentence.

    ``retry_after`` are seconds after which it is worth trying again (429 and 503), ``headers`` others that the answer
    needs.
    """

    def __init__(
        self, status: int, message: str, retry_after: int | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.retry_after = status, message, retry_after
        again = {} if retry_after is None else {"Retry-After": str(retry_after)}
        self.headers = {**(headers or {}), **again}

    def body(self) -> dict[str, Any]:
        """The JSON body of the answer."""
        return {"error": {"status": self.status, "message": self.message}}

    def event(self, sequence: int | None = None) -> dict[str, Any]:
        """The same as a message of the WebSocket, with the frame that it is about."""
        about = {} if sequence is None else {"sequence": sequence}
        return {"type": "error", "status": self.status, "message": self.message, **about}
