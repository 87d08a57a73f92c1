"""What a client may choose for a request or for the frames that follow."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from densecap.errors import UserError
from densecap.models.generation import GenerationSettings
from densecap.models.settings import DetectionSettings
from densecap.serving.limits import Limits
from densecap.serving.refusals import Refused

#: Corners x1, y1, x2, y2 in pixels of the picture.
Box = tuple[float, float, float, float]

REQUEST_OPTIONS = ("score_threshold", "max_detections", "beam_size", "boxes")
STREAM_OPTIONS = (*REQUEST_OPTIONS, "track")


@dataclass(frozen=True)
class Options:
    """None leaves a setting as the server has it; ``boxes`` are described instead of regions that the model finds."""

    score_threshold: float | None = None
    max_detections: int | None = None
    beam_size: int | None = None
    boxes: tuple[Box, ...] | None = None
    track: bool = False

    def settings(
        self, detection: DetectionSettings, generation: GenerationSettings
    ) -> tuple[DetectionSettings, GenerationSettings]:
        """The server's settings with these in their place; errors: Refused (422) where they do not go together."""
        found = {"score_threshold": self.score_threshold, "max_detections": self.max_detections}
        said = {"beam_size": self.beam_size}
        try:
            return _replaced(detection, found), _replaced(generation, said)
        except UserError as error:
            raise Refused(422, str(error)) from error


def _replaced(settings: Any, values: Mapping[str, Any]) -> Any:
    given = {key: value for key, value in values.items() if value is not None}
    return dataclasses.replace(settings, **given) if given else settings


def from_query(values: Mapping[str, str], limits: Limits) -> Options:
    """The options in a query, all text; errors: Refused (422) with a sentence that names the option."""
    _check_names(values, REQUEST_OPTIONS)
    return _options({key: _plain(key, text) for key, text in values.items() if text != ""}, limits)


def from_message(text: str, limits: Limits) -> Options:
    """The options in a message of the WebSocket, a JSON object; errors: Refused (422)."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise Refused(422, "a text message is a JSON object of options")
    _check_names(values, STREAM_OPTIONS)
    return _options(values, limits)


def _check_names(values: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for name in values:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f", did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"
            raise Refused(422, f"there is no option {name[:40]!r}{hint}")


def _plain(key: str, text: str) -> Any:
    """A query's text as the number or list that it writes; what is neither is found out later."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _options(values: Mapping[str, Any], limits: Limits) -> Options:
    threshold = values.get("score_threshold")
    if threshold is not None and not (_is_number(threshold) and 0 <= threshold <= 1):
        raise Refused(422, f"score_threshold is a number from 0 to 1, got {_shown(threshold)}")
    track = values.get("track")
    if not isinstance(track, bool | None):
        raise Refused(422, f"track is true or false, got {_shown(track)}")
    return Options(
        None if threshold is None else float(threshold),
        _whole("max_detections", values.get("max_detections"), limits.max_detections),
        _whole("beam_size", values.get("beam_size"), limits.max_beam_size),
        _boxes(values.get("boxes"), limits.max_boxes),
        bool(track),
    )


def _whole(name: str, value: Any, most: int) -> int | None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if value is not None and not (whole and 1 <= value <= most):
        raise Refused(422, f"{name} is a whole number from 1 to {most}, got {_shown(value)}")
    return value


def _boxes(value: Any, most: int) -> tuple[Box, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(_is_box(box) for box in value):
        raise Refused(422, f"boxes are a list [[x1,y1,x2,y2],...] with x1 < x2 and y1 < y2, got {_shown(value)}")
    if not 1 <= len(value) <= most:
        raise Refused(422, f"boxes are from 1 to {most}, got {len(value)}")
    return tuple(tuple(float(number) for number in box) for box in value)  # type: ignore[misc]


def _is_box(value: Any) -> bool:
    if not (isinstance(value, list) and len(value) == 4 and all(_is_number(number) for number in value)):
        return False
    return bool(value[0] < value[2] and value[1] < value[3])


def _is_number(value: Any) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return abs(value) < 1e9 and math.isfinite(value)


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def check_boxes(boxes: tuple[Box, ...], width: int, height: int) -> None:
    """Errors: Refused (422) for a box that covers nothing of a picture of that size."""
    for number, (x1, y1, x2, y2) in enumerate(boxes):
        if min(x2, width) <= max(x1, 0) or min(y2, height) <= max(y1, 0):
            raise Refused(422, f"box {number} covers nothing of the picture, which has {width} x {height} pixels")
