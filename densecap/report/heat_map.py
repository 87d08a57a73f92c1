"""The 30 cells of dense captioning mAP as a coloured table, detection alone beside them."""

from __future__ import annotations

import math

import numpy as np

from densecap.metrics.dense_map.conventions import IOU_THRESHOLDS, METEOR_THRESHOLDS
from densecap.metrics.dense_map.evaluation import DenseScore
from densecap.report.markup import Html, element, figure

_GAP = element("td", class_="gap")


def heat_map(score: DenseScore, brightest: float) -> Html:
    """Average precision by overlap (rows) and METEOR (columns); ``brightest`` is what full colour stands for."""
    cells = np.concatenate((score.detection_ap[:, None], score.ap), axis=1)  # (5, 1 + 6)
    means = cells.mean(axis=0)
    above = [element("th", f"> {threshold:g}", scope="col") for threshold in METEOR_THRESHOLDS]
    head = [
        element(
            "tr",
            element("td", class_="corner"),
            element("th", "any", element("br"), "words", scope="col", rowspan=2),
            _GAP,
            element("th", "METEOR of the caption", colspan=6, scope="colgroup", class_="over"),
        ),
        element("tr", element("th", "IoU of the box", scope="col", class_="corner"), _GAP, above),
    ]
    rows = [_row(f"≥ {threshold}", row, brightest) for threshold, row in zip(IOU_THRESHOLDS, cells)]
    foot = element("tfoot", element("tr", element("td", colspan=9), class_="gap"), _row("mean", means, brightest))
    body = element("table", element("thead", head), element("tbody", rows), foot, class_="heat")
    return element("div", element("div", body, class_="scroll"), _scale(brightest))


def brightest_cell(scores: list[DenseScore]) -> float:
    """The highest average precision that occurs, so that all maps share a scale; 1 when there is none above 0."""
    values = np.concatenate([np.concatenate((score.ap.ravel(), score.detection_ap)) for score in scores])
    highest = float(np.nanmax(values)) if np.isfinite(values).any() else 0.0
    return highest if highest > 0 else 1.0


def _scale(brightest: float) -> Html:
    """The legend of the colours."""
    return element(
        "p", "average precision 0", element("span", class_="ramp"), figure(brightest, 2), class_="legend scale"
    )


def _row(title: str, values: np.ndarray, brightest: float) -> Html:
    first, *others = (_cell(float(value), brightest) for value in values)
    return element("tr", element("th", title, scope="row"), first, _GAP, others)


def _cell(value: float, brightest: float) -> Html:
    if math.isnan(value):
        return element("td", figure(value), class_="cell empty")
    share = value / brightest
    class_ = "cell full" if share > 0.68 else "cell half" if share > 0.48 else "cell"
    return element("td", figure(value), class_=class_, style=f"--share:{100 * share:.1f}%")
