"""One panel of curves, drawn with Pillow: axes, grid, lines and a key."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from densecap.prediction.lettering import choose_font

#: Colours of lines in turn, told apart also by those who see red and green alike (Okabe and Ito's, darkest first).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
INK, FAINT_INK, GRID = "#1f2933", "#66707a", "#e4e8ec"

#: Pixels of a panel, and of the frame around its axes, before ``SCALE``; everything is drawn larger and made smaller.
WIDTH, HEIGHT = 420, 250
LEFT, TOP, RIGHT, BOTTOM = 54, 44, 14, 28
SCALE = 2

#: Points that a line is drawn with at most; of longer ones means of neighbours are taken.
MOST_POINTS = 600

#: Points of a line that are marked at most.
MOST_MARKS = 40

#: Costs whose largest is so many times the smallest get a logarithmic axis.
LOGARITHMIC = 30.0


@dataclass(frozen=True)
class Line:
    """``steps`` and ``values`` (P,). ``smoothed`` draws a running mean over the faint values, ``marked`` points where
    there are few; a ``cost`` may get a logarithmic axis."""

    name: str
    steps: np.ndarray
    values: np.ndarray
    smoothed: bool = False
    marked: bool = False
    cost: bool = False


@dataclass(frozen=True)
class Axes:
    """From (step, value) to pixels of the panel as drawn, ``SCALE`` times its size."""

    first: float
    last: float
    low: float
    high: float
    logarithmic: bool = False

    @classmethod
    def around(cls, lines: Sequence[Line], span: tuple[float, float] | None = None) -> Axes:
        """Axes that hold all lines, with a little room above and below; ``span`` is the first and the last step."""
        steps = np.concatenate([line.steps for line in lines])
        first, last = span or (float(steps.min()), float(steps.max()))
        values = np.concatenate([line.values for line in lines])
        low, high = float(values.min()), float(values.max())
        logarithmic = any(line.cost for line in lines) and low > 0 and high / low > LOGARITHMIC
        if logarithmic:
            low, high = math.log10(low), math.log10(high)
        room = 0.06 * (high - low) or abs(high) * 0.1 or 1.0
        return cls(first, max(last, first + 1), low - room, high + room, logarithmic)

    def across(self, steps: np.ndarray) -> np.ndarray:
        width = SCALE * (WIDTH - LEFT - RIGHT)
        return SCALE * LEFT + (np.asarray(steps, float) - self.first) / (self.last - self.first) * width

    def down(self, values: np.ndarray) -> np.ndarray:
        values = np.asarray(values, float)
        places = np.log10(values) if self.logarithmic else values
        height = SCALE * (HEIGHT - TOP - BOTTOM)
        return SCALE * TOP + (self.high - places) / (self.high - self.low) * height

    def value_ticks(self) -> list[float]:
        if self.logarithmic:
            powers = range(math.floor(self.low), math.ceil(self.high) + 1)
            factors = (1, 2, 5) if self.high - self.low < 2.5 else (1,)
            ticks = [factor * 10.0**power for power in powers for factor in factors]
            return [tick for tick in ticks if self.low <= math.log10(tick) <= self.high]
        return ticks_between(self.low, self.high, 4)


def ticks_between(low: float, high: float, count: int) -> list[float]:
    """About ``count`` round numbers (1, 2 or 5 times a power of ten apart) from ``low`` to ``high``."""
    rough = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((factor * power for factor in (1, 2, 5, 10)), key=lambda item: abs(item - rough))
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]


def draw_chart(
    title: str, lines: Sequence[Line], subtitle: str = "", span: tuple[float, float] | None = None
) -> Image.Image:
    """A panel of ``WIDTH`` x ``HEIGHT`` pixels; lines that hold nothing are left out. ``span``: steps of the axis."""
    lines = [line for line in lines if len(line.values)]
    canvas = Image.new("RGB", (SCALE * WIDTH, SCALE * HEIGHT), "white")
    draw = ImageDraw.Draw(canvas)
    _text(draw, (SCALE * 12, SCALE * 8), title, 14, INK)
    if lines:
        axes = Axes.around(lines, span)
        _draw_axes(draw, axes)
        for place, line in enumerate(lines):
            _draw_line(draw, axes, line, COLOURS[place % len(COLOURS)])
        if len(lines) > 1 or lines[0].name:
            _draw_key(draw, lines)
    _text(draw, (SCALE * (WIDTH - RIGHT), SCALE * 10), subtitle, 11, FAINT_INK, anchor="ra")
    return canvas.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)


def _draw_axes(draw: ImageDraw.ImageDraw, axes: Axes) -> None:
    left, right, bottom = SCALE * LEFT, SCALE * (WIDTH - RIGHT), SCALE * (HEIGHT - BOTTOM)
    for value in axes.value_ticks():
        y = float(axes.down(np.array([value]))[0])
        draw.line((left, y, right, y), fill=GRID, width=SCALE)
        _text(draw, (left - SCALE * 6, y), short(value), 10, FAINT_INK, anchor="rm")
    for step in ticks_between(axes.first, axes.last, 5):
        x = float(axes.across(np.array([step]))[0])
        draw.line((x, bottom, x, bottom + SCALE * 4), fill=FAINT_INK, width=SCALE)
        _text(draw, (x, bottom + SCALE * 6), short(step), 10, FAINT_INK, anchor="ma")
    draw.line((left, bottom, right, bottom), fill=FAINT_INK, width=SCALE)


def _draw_line(draw: ImageDraw.ImageDraw, axes: Axes, line: Line, colour: str) -> None:
    steps, values = thinned(line.steps, line.values)
    if line.smoothed and len(values) > 8:
        _polyline(draw, axes, steps, values, _pale(colour), SCALE)
        values = running_mean(values)
    _polyline(draw, axes, steps, values, colour, 2 * SCALE)
    if (line.marked and len(values) <= MOST_MARKS) or len(values) == 1:
        for x, y in zip(axes.across(steps).tolist(), axes.down(values).tolist()):
            radius = 2.5 * SCALE
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def _polyline(
    draw: ImageDraw.ImageDraw, axes: Axes, steps: np.ndarray, values: np.ndarray, colour: str, width: int
) -> None:
    points = list(zip(axes.across(steps).tolist(), axes.down(values).tolist()))
    if len(points) > 1:
        draw.line(points, fill=colour, width=width, joint="curve")


def _draw_key(draw: ImageDraw.ImageDraw, lines: Sequence[Line]) -> None:
    """A dash in each line's colour with its name, below the title."""
    x = SCALE * 12.0
    for place, line in enumerate(lines):
        y = SCALE * 33
        draw.line((x, y, x + SCALE * 14, y), fill=COLOURS[place % len(COLOURS)], width=3 * SCALE)
        x += SCALE * 19
        x += _text(draw, (x, y), line.name, 11, FAINT_INK, anchor="lm") + SCALE * 14


def _text(
    draw: ImageDraw.ImageDraw, place: tuple[float, float], words: str, size: int, colour: str, anchor: str = "la"
) -> float:
    """Write words ``size`` pixels high (before ``SCALE``); returns their width."""
    font, words = choose_font(words, SCALE * size)
    draw.text(place, words, fill=colour, font=font, anchor=anchor)
    return font.getlength(words)


def _pale(colour: str) -> str:
    """The colour, two thirds of the way to white."""
    parts = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return "#" + "".join(f"{round(255 - (255 - part) * 0.32):02x}" for part in parts)


def thinned(steps: np.ndarray, values: np.ndarray, most: int = MOST_POINTS) -> tuple[np.ndarray, np.ndarray]:
    """At most ``most`` points, each the mean of as many neighbours; (P,) and (P,) in and out."""
    if len(values) <= most:
        return steps, values
    ends = np.linspace(0, len(values), most + 1).round().astype(int)
    counts = np.diff(ends)
    return np.add.reduceat(steps, ends[:-1]) / counts, np.add.reduceat(values, ends[:-1]) / counts


def running_mean(values: np.ndarray) -> np.ndarray:
    """(P,) exponential mean over a thirtieth of the curve, without a pull towards its beginning."""
    keep = 1 - 1 / max(len(values) / 30, 2.0)
    mean, weight, means = 0.0, 0.0, np.empty(len(values))
    for place, value in enumerate(values.tolist()):
        mean, weight = keep * mean + (1 - keep) * value, keep * weight + (1 - keep)
        means[place] = mean / weight
    return means


def short(value: float) -> str:
    """A number in few letters: 12k, 0.05, 2e-05."""
    size = abs(value)
    if size >= 1e6:
        return f"{value / 1e6:.4g}M"
    if size >= 1e4:
        return f"{value / 1e3:.4g}k"
    if size and size < 1e-3:
        mantissa, _, power = f"{value:.2e}".partition("e")
        return f"{float(mantissa):g}e{int(power)}"
    return f"{value:.4g}"
