"""The part that says where the points are lost, and what became of all boxes and truths."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from densecap.metrics.dense_map.analysis import (
    DETECTION_FATES,
    FATE_IOU,
    FATE_METEOR,
    TOUCHING_IOU,
    TRUTH_FATES,
    ImageFates,
    count_fates,
    fates_by_rank,
)
from densecap.metrics.dense_map.losses import Losses
from densecap.metrics.dense_map.records import DenseRecord
from densecap.report.markup import Content, Html, count, element, figure, percent, table

#: CSS class of every fate, in the order of ``DETECTION_FATES`` and ``TRUTH_FATES``.
DETECTION_CLASSES = ("right", "words", "duplicate", "poor", "background")
TRUTH_CLASSES = ("right", "words", "duplicate", "poor", "background")
DETECTION_TITLES = ("right box, right words", "right box, wrong words", "duplicate", "poor box", "background")
TRUTH_TITLES = ("found and described", "found, wrong words", "box fits a neighbour", "poor box", "missed")
_DETECTION_MEANING = (
    f"first to claim a truth, IoU ≥ {FATE_IOU} and METEOR > {FATE_METEOR}",
    f"first to claim a truth, IoU ≥ {FATE_IOU}, but METEOR ≤ {FATE_METEOR}",
    f"IoU ≥ {FATE_IOU} with a truth that a better-scored box has claimed",
    f"IoU of {TOUCHING_IOU} to {FATE_IOU} with its nearest truth",
    f"IoU below {TOUCHING_IOU} with every truth",
)
_TRUTH_MEANING = (
    f"claimed by a box with IoU ≥ {FATE_IOU} and METEOR > {FATE_METEOR}",
    f"claimed by a box with IoU ≥ {FATE_IOU}, but METEOR ≤ {FATE_METEOR}",
    "the boxes upon it fit another truth better",
    f"no box reaches IoU {FATE_IOU}, one reaches {TOUCHING_IOU}",
    "no box comes near",
)
_RANKS = (1, 2, 3, 4, 5, 6, 11, 21, 51, 101)
assert len(DETECTION_FATES) == len(DETECTION_CLASSES) and len(TRUTH_FATES) == len(TRUTH_CLASSES)


def where_points_go(found: Losses) -> Html:
    """The whole from 0 to 1 as one bar, and the oracles it comes from."""
    parts = [
        ("right", "achieved", found.score),
        ("words", "lost to language", found.language),
        ("poor", "lost to localization", found.localization),
        ("duplicate", "lost to false alarms and ranking", found.false_alarms),
        ("background", "lost to missed truths", found.missed),
    ]
    oracles = [
        ("as it is", figure(found.score)),
        ("every claimed truth described rightly", figure(found.with_words)),
        ("every box with IoU ≥ 0.3 exactly on its truth", figure(found.with_boxes)),
        ("both", figure(found.with_both)),
        ("both, and no false alarm", figure(found.without_false_alarms)),
    ]
    return element(
        "div",
        stacked_bar(parts, figure),
        element("h3", "Had something been perfect"),
        table(["", "dense mAP"], oracles, class_="plain"),
    )


def fates(records: Sequence[DenseRecord], images: Sequence[ImageFates]) -> Html:
    """Bars of detections and truths, and of detections by rank."""
    detections, truths = count_fates(images)
    return element(
        "div",
        element("h3", count(int(detections.sum())), " boxes predicted"),
        _counted_bar(DETECTION_CLASSES, DETECTION_TITLES, _DETECTION_MEANING, detections),
        element("h3", count(int(truths.sum())), " truths (those that overlap by 0.7 merged)"),
        _counted_bar(TRUTH_CLASSES, TRUTH_TITLES, _TRUTH_MEANING, truths),
        _by_rank(fates_by_rank(records, images, _RANKS)) if detections.sum() else None,
    )


def stacked_bar(parts: Sequence[tuple[str, str, float]], number: type | object, meanings: Sequence[str] = ()) -> Html:
    """(class, title, share) drawn to scale, the key below it; what is not above 0 takes no room."""
    show = number if callable(number) else figure
    total = sum(max(share, 0.0) for *_, share in parts if share == share)
    pieces = [
        element("span", class_=class_, style=f"flex-grow:{share / total:.4f}", title=f"{title}: {share:.3f}")
        for class_, title, share in parts
        if share > 0
    ]
    keys = [_key(*part, show(part[2]), meaning) for part, meaning in zip(parts, meanings or [""] * len(parts))]
    bar = element("div", pieces, class_="bar", aria_hidden="true") if pieces else None
    return element("div", bar, element("ul", keys, class_="legend rows"), class_="stack")


def _key(class_: str, title: str, share: float, number: Content, meaning: str) -> Html:
    explained = element("small", meaning) if meaning else None
    return element(
        "li", element("i", class_=f"swatch {class_}"), element("b", number), element("span", title), explained
    )


def _counted_bar(classes: Sequence[str], titles: Sequence[str], meanings: Sequence[str], counts: np.ndarray) -> Html:
    total = int(counts.sum())
    if not total:
        return element("p", "None.", class_="undefined")
    parts = [(class_, title, int(n) / total) for class_, title, n in zip(classes, titles, counts)]
    return stacked_bar(parts, percent, meanings)


def _by_rank(counts: np.ndarray) -> Html:
    """Columns of the shares of fates, best-scored boxes left."""
    columns = []
    for place, (start, row) in enumerate(zip(_RANKS, counts.tolist())):
        if not sum(row):
            continue
        last = _RANKS[place + 1] - 1 if place + 1 < len(_RANKS) else None
        name = f"{start}+" if last is None else str(start) if last == start else f"{start}–{last}"
        pieces = [
            element("span", class_=class_, style=f"flex-grow:{n / sum(row):.4f}", title=f"{title}: {n} of {sum(row)}")
            for class_, title, n in zip(DETECTION_CLASSES, DETECTION_TITLES, row)
            if n
        ]
        columns.append(element("div", element("div", pieces, class_="pile"), element("span", name), class_="column"))
    return element(
        "figure",
        element("h3", "By rank within the image"),
        element("div", columns, class_="columns"),
        element("figcaption", "rank of the box by its score, 1 the best; colours as of the boxes above"),
    )
