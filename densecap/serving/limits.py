"""How much one client may ask for."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from densecap.errors import UserError


@dataclass(frozen=True)
class Limits:
    """Bounds of the server; ``None`` means none.

    max_upload           bytes of one request's body, or of one frame
    max_pixels           of one picture, as its header says, before it is decoded
    max_images           pictures of one request
    max_boxes            given boxes of one picture
    max_detections       regions of one picture
    max_beam_size        hypotheses of one caption
    queue_length         pictures of requests that were accepted and not answered yet, over all clients
    max_streams          WebSocket connections at once
    requests_per_minute  requests and new connections from one address
    upload_seconds       seconds that one body may take to arrive

    Errors: UserError for a value out of range.
    """

    max_upload: int = 16 * 2**20
    max_pixels: int = 40_000_000
    max_images: int = 16
    max_boxes: int = 100
    max_detections: int = 100
    max_beam_size: int = 10
    queue_length: int = 64
    max_streams: int = 16
    requests_per_minute: int | None = None
    upload_seconds: int = 60

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            whole = isinstance(value, int) and not isinstance(value, bool)
            if not (whole and value > 0) and not (value is None and field.name == "requests_per_minute"):
                raise UserError(f"limits.{field.name} is a whole number above 0, got {value}")
        if self.max_images > self.queue_length:
            raise UserError(
                f"limits.max_images={self.max_images} pictures of a request find no room in a queue of "
                f"limits.queue_length={self.queue_length}"
            )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
