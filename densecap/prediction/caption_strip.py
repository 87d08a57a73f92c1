"""A picture with its caption on a strip below it."""

from __future__ import annotations

import math

from PIL import Image, ImageDraw

from densecap.prediction.drawing import enlarged
from densecap.prediction.lettering import choose_font, line_height, readable, wrap
from densecap.structures import Prediction

#: Lines of a caption that are shown.
MAX_LINES = 6


def describes_whole_image(prediction: Prediction) -> bool:
    """Whether its only region is the whole picture, to half a pixel."""
    whole = (0.0, 0.0, float(prediction.width), float(prediction.height))
    regions = prediction.regions
    return len(regions) == 1 and all(abs(side - end) < 0.5 for side, end in zip(regions[0].box, whole))


def with_caption(image: Image.Image, caption: str, text_size: int | None = None) -> Image.Image:
    """The picture, enlarged if it is small, over a white strip with its caption; ``text_size`` in pixels of the result
    (None: in proportion to its width)."""
    picture = enlarged(image)
    text_size = text_size or max(14, round(0.04 * picture.width))
    font, text = choose_font(readable(caption), text_size)
    margin = max(4, text_size // 2)
    lines = wrap(text, font, picture.width - 2 * margin, MAX_LINES)
    strip = len(lines) * line_height(font) + 2 * margin if lines else 0
    canvas = Image.new("RGB", (picture.width, picture.height + math.ceil(strip)), "white")
    canvas.paste(picture)
    draw = ImageDraw.Draw(canvas)
    for row, line in enumerate(lines):
        draw.text((margin, picture.height + margin + row * line_height(font)), line, fill="#202020", font=font)
    return canvas
