"""Pictures with described boxes, and sheets of such pictures."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from densecap.prediction.lettering import choose_font, line_height, readable, wrap
from densecap.prediction.placement import Rectangle, place_label
from densecap.structures import RegionPrediction

if TYPE_CHECKING:
    from torch import Tensor

#: Colours that are told apart from each other and from most photos; boxes take them in turn.
PALETTE = (
    "#e6194b", "#3cb44b", "#4363d8", "#ffe119", "#f58231", "#911eb4",
    "#42d4f4", "#f032e6", "#bfef45", "#9a6324", "#fabed4", "#000075",
)  # fmt: skip

_DARK = "#202020"

#: Pictures whose longest side is shorter are drawn enlarged by a whole number, so that words stay legible.
LEGIBLE_SIDE = 480


def image_from_tensor(image: Tensor) -> Image.Image:
    """A Pillow picture of a (3, H, W) uint8 RGB tensor, or array where PyTorch is not used."""
    pixels = image if isinstance(image, np.ndarray) else image.cpu().numpy()
    return Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def draw_regions(
    image: Image.Image,
    regions: Sequence[RegionPrediction],
    num_to_draw: int | None = None,
    scale: int | None = None,
    text_size: int | None = None,
    palette: Sequence[str] = PALETTE,
    line_width: int | None = None,
) -> Image.Image:
    """A copy of the picture with the boxes of its first ``num_to_draw`` regions (all when None) and their captions.

    Boxes are in pixels of ``image``. ``scale`` enlarges the picture by that factor before drawing (None: only a small
    one, see ``LEGIBLE_SIDE``); ``text_size`` and ``line_width`` are in pixels of the result (None: in proportion to
    it). Boxes take the "#rrggbb" colours of the ``palette`` in turn.
    """
    canvas = enlarged(image, scale)
    scale = canvas.width // image.width
    mean_side = math.sqrt(canvas.width * canvas.height)
    text_size = text_size or max(14, round(0.028 * mean_side))
    line_width = line_width or max(2, round(0.005 * mean_side))
    drawn = [region for region in regions if all(map(math.isfinite, region.box))][:num_to_draw]
    boxes = [_on_canvas(region.box, scale, canvas.size) for region in drawn]
    marks = [
        (box, palette[index % len(palette)], region.caption) for index, (box, region) in enumerate(zip(boxes, drawn))
    ]
    draw = ImageDraw.Draw(canvas)
    for box, colour, _ in reversed(marks):
        _draw_box(draw, box, colour, line_width)
    _draw_labels(draw, marks, canvas.size, text_size)
    return canvas


def enlarged(image: Image.Image, scale: int | None = None) -> Image.Image:
    """A copy of the picture in RGB, ``scale`` times as large (None: only a small one, see ``LEGIBLE_SIDE``)."""
    scale = scale or max(1, math.ceil(LEGIBLE_SIDE / max(image.size)))
    canvas = image.convert("RGB")
    if scale > 1:
        return canvas.resize((image.width * scale, image.height * scale), Image.Resampling.LANCZOS)
    return image.copy() if canvas is image else canvas


def _on_canvas(box: Sequence[float], scale: int, size: tuple[int, int]) -> Rectangle:
    """The box on the enlarged picture, inside it and at least a pixel in size."""
    left, right = sorted(min(max(value * scale, 0), size[0] - 1) for value in (box[0], box[2]))
    top, bottom = sorted(min(max(value * scale, 0), size[1] - 1) for value in (box[1], box[3]))
    return left, top, right, bottom


def _draw_box(draw: ImageDraw.ImageDraw, box: Rectangle, colour: str, width: int) -> None:
    """An outline; thin dark lines around it keep light colours visible on light ground."""
    left, top, right, bottom = box
    draw.rectangle((left - 1, top - 1, right + 1, bottom + 1), outline=_DARK, width=width + 2)
    draw.rectangle(box, outline=colour, width=width)


def _draw_labels(
    draw: ImageDraw.ImageDraw, marks: Sequence[tuple[Rectangle, str, str]], size: tuple[int, int], text_size: int
) -> None:
    """Captions of (box, colour, caption) on filled ground; a line leads to the box where a label had to move away."""
    placed: list[Rectangle] = []
    padding = max(2, text_size // 5)
    for box, colour, caption in marks:
        font, text = choose_font(readable(caption), text_size)
        widest = min(size[0] - 2 * padding, max(box[2] - box[0] - 2 * padding, 0.45 * size[0]))
        lines = wrap(text, font, widest, max_lines=max(1, min(4, size[1] // (2 * line_height(font)))))
        if not lines:
            continue
        width = math.ceil(max(font.getlength(line) for line in lines)) + 2 * padding
        height = len(lines) * line_height(font) + padding
        label = place_label(box, (width, height), size, [mark[0] for mark in marks], placed)
        placed.append(label)
        _draw_leader(draw, label, box, colour, width=max(2, padding // 2))
        draw.rectangle((label[0], label[1], label[2] - 1, label[3] - 1), fill=colour, outline=_DARK)
        for row, line in enumerate(lines):
            place = (label[0] + padding, label[1] + padding / 2 + row * line_height(font))
            draw.text(place, line, fill=_ink(colour), font=font)


def _draw_leader(draw: ImageDraw.ImageDraw, label: Rectangle, box: Rectangle, colour: str, width: int) -> None:
    across = max(label[0] - box[2], box[0] - label[2])
    down = max(label[1] - box[3], box[1] - label[3])
    if max(across, down) <= 1:
        return
    start = ((label[0] + label[2]) / 2, (label[1] + label[3]) / 2)
    end = (min(max(start[0], box[0]), box[2]), min(max(start[1], box[1]), box[3]))
    draw.line((*start, *end), fill=_DARK, width=width + 2)
    draw.line((*start, *end), fill=colour, width=width)


def _ink(colour: str) -> str:
    """Black or white, whichever stands out against a ``#rrggbb`` colour (ITU-R BT.601 luminance)."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return "#000000" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "#ffffff"


def contact_sheet(images: Sequence[Image.Image], columns: int = 4, gap: int = 12) -> Image.Image:
    """Pictures side by side in rows of ``columns`` on white, each centred in a cell as large as the largest.

    Errors: ValueError without pictures.
    """
    if not images:
        raise ValueError("a contact sheet needs at least one picture")
    columns = min(columns, len(images))
    rows = math.ceil(len(images) / columns)
    width, height = max(image.width for image in images), max(image.height for image in images)
    sheet = Image.new("RGB", (columns * (width + gap) + gap, rows * (height + gap) + gap), "white")
    for index, image in enumerate(images):
        left = gap + index % columns * (width + gap) + (width - image.width) // 2
        top = gap + index // columns * (height + gap) + (height - image.height) // 2
        sheet.paste(image.convert("RGB"), (left, top))
    return sheet


def save_sheet(path: Path, images: Sequence[Image.Image], columns: int) -> bool:
    """Write a contact sheet as a JPEG, under a temporary name first; False, and no file, without pictures."""
    if not images:
        return False
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    contact_sheet(images, columns).save(temporary, format="JPEG", quality=90)
    temporary.replace(path)
    return True
