"""Precision-recall curves as inline SVG, one line for each overlap."""

from __future__ import annotations

import numpy as np

from densecap.metrics.dense_map.conventions import IOU_THRESHOLDS, METEOR_THRESHOLDS, convention_of
from densecap.metrics.dense_map.evaluation import DenseScore
from densecap.metrics.dense_map.records import Floats
from densecap.report.markup import Html, element, figure, tabs

WIDTH, HEIGHT = 420, 300
LEFT, TOP, RIGHT, BOTTOM = 40, 12, 12, 38
#: Which of the language scores is shown first: .15.
SHOWN = 3


def precision_recall(score: DenseScore) -> Html:
    """Two panels: boxes alone, and boxes with words, where one chooses the language score."""
    levels = convention_of(score.convention).levels
    described = [
        (f"> {threshold:g}", chart(levels, curves, f"precision against recall, METEOR above {threshold:g}"))
        for threshold, curves in zip(METEOR_THRESHOLDS, score.precision[1:])
    ]
    alone = chart(levels, score.precision[0], "precision against recall of boxes, whatever their words")
    return element(
        "div",
        element("figure", element("h3", "Boxes, whatever their words"), element("div", class_="keys spacer"), alone),
        element(
            "figure",
            element("h3", "Boxes and words"),
            tabs(f"meteor-{score.convention}", described, SHOWN, "METEOR"),
        ),
        class_="pair",
    )


def chart(levels: Floats, curves: Floats, description: str) -> Html:
    """One panel: precision (5, L) at the L recall levels and the average precision of every line."""
    lines = [
        element("path", d=_path(levels, curve), class_=f"curve iou{place}", fill="none")
        for place, curve in enumerate(curves)
        if np.isfinite(curve).all()
    ]
    nothing = None if lines else _text(*_point(0.5, 0.5), "not defined: no truths", "middle")
    picture = element(
        "svg", element("title", description), _axes(), lines, nothing, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img"
    )
    keys = [
        element("li", element("i", class_=f"swatch iou{place}"), f"IoU {threshold} ", figure(float(curve.mean())))
        for place, (threshold, curve) in enumerate(zip(IOU_THRESHOLDS, curves))
    ]
    return element("div", picture, element("ul", keys, class_="legend"))


def _axes() -> Html:
    parts = []
    for step in range(5):
        value = step / 4
        x, y = _point(value, value)
        parts += [
            element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="grid"),
            element("line", x1=x, x2=x, y1=TOP, y2=HEIGHT - BOTTOM, class_="grid"),
            _text(LEFT - 6, y + 4, f"{value:g}", "end"),
            _text(x, HEIGHT - BOTTOM + 16, f"{value:g}", "middle"),
        ]
    middle = (HEIGHT - BOTTOM + TOP) / 2
    turned = element(
        "text", "precision", x=10, y=middle, text_anchor="middle", transform=f"rotate(-90 10 {middle})", class_="axis"
    )
    return Html("".join([*parts, _text((WIDTH + LEFT) / 2, HEIGHT - 4, "recall", "middle", "axis"), turned]))


def _text(x: float, y: float, words: str, anchor: str, class_: str | None = None) -> Html:
    return element("text", words, x=x, y=y, text_anchor=anchor, class_=class_)


def _point(recall: float, precision: float) -> tuple[float, float]:
    return LEFT + recall * (WIDTH - LEFT - RIGHT), TOP + (1 - precision) * (HEIGHT - TOP - BOTTOM)


def _path(levels: Floats, curve: Floats) -> str:
    """The line through all points, those in the middle of a level stretch left out."""
    flat = np.zeros(len(curve), bool)
    flat[1:-1] = (curve[1:-1] == curve[:-2]) & (curve[1:-1] == curve[2:])
    points = [_point(x, y) for x, y in zip(levels[~flat].tolist(), curve[~flat].tolist())]
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
