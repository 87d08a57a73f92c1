"""All curves of a run on one picture, ``curves.png``."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from densecap.prediction.lettering import choose_font
from densecap.runs.chart import FAINT_INK, HEIGHT, INK, WIDTH, Line, draw_chart, short
from densecap.runs.history import History, lower_is_better
from densecap.runs.panels import Panel, label, panels_of

#: The file in the run folder.
NAME = "curves.png"

#: Pixels of the heading over the panels, and between them.
HEADING, GAP = 34, 8


def draw_curves(history: History, heading: str = "") -> Image.Image | None:
    """A panel for each figure, three or four in a row; None while there is nothing to draw."""
    panels = panels_of(history.curves)
    if not panels:
        return None
    columns = min(len(panels), 3 if len(panels) <= 9 else 4)
    rows = math.ceil(len(panels) / columns)
    size = (columns * (WIDTH + GAP) + GAP, HEADING + rows * (HEIGHT + GAP) + GAP)
    sheet = Image.new("RGB", size, "#f4f6f8")
    _head(sheet, heading, history)
    span = (0, max(history.last_step, 1))
    for place, panel in enumerate(panels):
        row, column = divmod(place, columns)
        lines = [line_of(history, name, panel) for name in panel.names]
        picture = draw_chart(panel.title, lines, _summary(history, panel), span)
        sheet.paste(picture, (GAP + column * (WIDTH + GAP), HEADING + row * (HEIGHT + GAP)))
    return sheet


def line_of(history: History, name: str, panel: Panel) -> Line:
    """A curve as the chart draws it."""
    points = np.array(history.curves[name], dtype=float).reshape(-1, 2)
    training = name.startswith("train/")
    steps, values = points[:, 0], points[:, 1]
    return Line(label(name, panel), steps, values, training, name.startswith("val/"), lower_is_better(name))


def save_curves(history: History, path: Path, heading: str = "") -> bool:
    """Write the picture under a temporary name first; False, and no file, while there is nothing to draw."""
    picture = draw_curves(history, heading)
    if picture is None:
        return False
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    picture.save(temporary, format="PNG")
    temporary.replace(path)
    return True


def _head(sheet: Image.Image, heading: str, history: History) -> None:
    draw = ImageDraw.Draw(sheet)
    font, words = choose_font(heading, 15)
    draw.text((GAP + 12, HEADING / 2), words, fill=INK, font=font, anchor="lm")
    font, words = choose_font(f"across: optimiser steps, {history.last_step:,} so far", 12)
    draw.text((sheet.width - GAP - 14, HEADING / 2), words, fill=FAINT_INK, font=font, anchor="rm")


def _summary(history: History, panel: Panel) -> str:
    """The last value, and the best of a figure of validation."""
    named = [name for name in panel.names if name.startswith("val/")] or list(panel.names)
    if len(named) > 1 and not named[0].startswith("val/"):
        return ""
    name = named[-1] if not lower_is_better(named[0]) else named[0]
    last, best = history.last(name), history.best(name)
    if last is None or best is None:
        return ""
    return f"last {short(last)}, best {short(best)}" if name.startswith("val/") else f"last {short(last)}"
