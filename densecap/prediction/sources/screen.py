"""The screen as a source of pictures: all of it, or a region."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from PIL import Image, ImageGrab

from densecap.data.images import image_from_pillow
from densecap.errors import UserError
from densecap.prediction.sources.moving import Moving, Shot
from densecap.prediction.sources.settings import SourceSettings

#: ``screen``, or a region of it as ``screen:left,top,width,height`` or ``screen:WIDTHxHEIGHT+LEFT+TOP``.
SCREEN = re.compile(r"screen(?::(?:(\d+),(\d+),(\d+),(\d+)|(\d+)x(\d+)\+(\d+)\+(\d+)))?")

#: Seconds between two pictures unless ``interval`` says otherwise.
_INTERVAL = 1.0


class Screen(Moving):
    """Pictures of the screen, one whenever the model is ready and the interval is over.

    ``start`` and ``stride`` mean nothing here. Seen under X (Xvfb); Windows, macOS and Wayland, which Pillow knows how
    to ask, are untried. Errors: UserError when there is no screen to see.
    """

    is_live = True
    path = Path("screen")

    def __init__(self, name: str, settings: SourceSettings) -> None:
        super().__init__(name, settings)
        self.box = region_of(name)
        if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            raise UserError("source=screen needs a screen: neither DISPLAY nor WAYLAND_DISPLAY is set")
        width, height = self._grab(None).size
        if self.box is not None and (self.box[2] > width or self.box[3] > height):
            raise UserError(f"source={name} reaches beyond the screen, which has {width} x {height} pixels")

    def shots(self) -> Iterator[tuple[Shot, bool]]:
        interval = _INTERVAL if self.settings.interval is None else self.settings.interval
        start, index = time.monotonic(), 0
        while True:
            taken = time.monotonic()
            picture = self._grab(self.box)
            yield Shot(index, taken - start, partial(image_from_pillow, picture)), True
            index += 1
            time.sleep(max(0.0, taken + interval - time.monotonic()))

    def _grab(self, box: tuple[int, int, int, int] | None) -> Image.Image:
        try:
            return ImageGrab.grab(box)
        except Exception as error:  # of Pillow's ways to look each fails in its own manner
            raise UserError(f"the screen cannot be seen: {str(error) or type(error).__name__}") from None


def region_of(name: str) -> tuple[int, int, int, int] | None:
    """The left, upper, right and lower edge in ``name``, None for the whole. Errors: UserError for one without area."""
    match = SCREEN.fullmatch(name)
    numbers = [int(number) for number in match.groups() if number is not None] if match else []
    if not numbers:
        return None
    left, top, width, height = numbers if "," in name else (*numbers[2:], *numbers[:2])
    if not (width and height):
        raise UserError(f"source={name} has no area: a region is screen:left,top,width,height")
    return left, top, left + width, top + height
