"""Scales and frames of the plots, as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from densecap.report.markup import Html, element
from densecap.sweeps.report.rows import shown

WIDTH, HEIGHT = 520, 300
LEFT, TOP, RIGHT, BOTTOM = 62, 14, 16, 40
#: Numbers whose largest is so many times the smallest get a logarithmic scale.
LOGARITHMIC = 50.0


@dataclass(frozen=True)
class Scale:
    """From values to 0..1: linear, logarithmic, or one place for each of the ``choices``."""

    low: float = 0.0
    high: float = 1.0
    logarithmic: bool = False
    choices: tuple[str, ...] = ()
    whole: bool = False

    @classmethod
    def of(cls, values: Sequence[Any], may_be_logarithmic: bool = True) -> Scale:
        """The scale that suits these values: numbers, or anything else as choices."""
        if not values or not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
            return cls(choices=tuple(sorted({shown(value) for value in values})))
        low, high = float(min(values)), float(max(values))
        if may_be_logarithmic and low > 0 and high / low >= LOGARITHMIC:
            return cls(low, high, logarithmic=True)
        if high == low:
            margin = abs(high) / 2 or 0.5
            return cls(low - margin, high + margin)
        return cls(low, high, whole=all(isinstance(value, int) for value in values))

    def __call__(self, value: Any) -> float:
        if self.choices:
            return (self.choices.index(shown(value)) + 0.5) / len(self.choices)
        if self.logarithmic:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (float(value) - self.low) / (self.high - self.low)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Place and text of five marks, or of every choice."""
        if self.choices:
            return [((place + 0.5) / len(self.choices), text) for place, text in enumerate(self.choices)]
        if self.whole and self.high - self.low <= 4:
            numbers = range(int(self.low), int(self.high) + 1)
            return [(self(number), str(number)) for number in numbers]
        if self.logarithmic:
            values = [self.low * (self.high / self.low) ** (step / 4) for step in range(5)]
        else:
            values = [self.low + (self.high - self.low) * step / 4 for step in range(5)]
        return [(step / 4, f"{value:.3g}") for step, value in enumerate(values)]


def point(x: float, y: float) -> tuple[float, float]:
    """From 0..1 to the right and upwards to the plot's own pixels."""
    return LEFT + x * (WIDTH - LEFT - RIGHT), TOP + (1 - y) * (HEIGHT - TOP - BOTTOM)


def plot(title: str, across: Scale, upwards: Scale, names: tuple[str, str], *content: Html) -> Html:
    """A frame with marks, names of both axes and what is drawn inside; ``title`` is for those who cannot see it."""
    parts = [*_marks(across, upwards), *content]
    middle = (HEIGHT - BOTTOM + TOP) / 2
    turned = f"rotate(-90 12 {middle})"
    parts.append(text((WIDTH + LEFT) / 2, HEIGHT - 5, names[0], "middle", "name"))
    parts.append(element("text", names[1], x=12, y=middle, text_anchor="middle", transform=turned, class_="name"))
    return element("svg", element("title", title), parts, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img")


def _marks(across: Scale, upwards: Scale) -> list[Html]:
    parts = []
    for place, words in upwards.ticks:
        y = point(0, place)[1]
        parts += [
            element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="grid"),
            text(LEFT - 6, y + 4, words, "end"),
        ]
    for place, words in across.ticks:
        x = point(place, 0)[0]
        parts.append(text(x, HEIGHT - BOTTOM + 16, words, "middle"))
    return parts


def text(x: float, y: float, words: str, anchor: str, class_: str | None = None) -> Html:
    return element("text", words, x=x, y=y, text_anchor=anchor, class_=class_)


def path(points: Sequence[tuple[float, float]], **attributes: object) -> Html:
    """A line through points of the plot's own pixels."""
    return element("path", d="M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points), fill="none", **attributes)
