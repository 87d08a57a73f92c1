"""Images with boxes drawn: predicted and truth over the picture, and the captions below it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from PIL import Image

from densecap.metrics.dense_map.analysis import DETECTION_FATES, TRUTH_FATES, ImageFates
from densecap.metrics.dense_map.records import DenseRecord, Floats
from densecap.report.markup import Html, element, figure, markup
from densecap.report.mistakes import DETECTION_CLASSES, TRUTH_CLASSES
from densecap.report.pictures import data_url

#: Boxes and truths of an image that are drawn and listed, and phrases of a truth.
MOST_BOXES, MOST_TRUTHS, MOST_PHRASES = 8, 10, 3
_LAYERS = (("both", "boxes and truths"), ("predicted", "boxes"), ("truth", "truths"))


def gallery(name: str, images: Iterable[Html]) -> Html:
    """Several images, and what is drawn on all of them to choose from."""
    inputs = [
        element("input", type="radio", name=name, id=f"{name}-{layer}", class_=f"only-{layer}", checked=layer == "both")
        for layer, _ in _LAYERS
    ]
    labels = [element("label", title, for_=f"{name}-{layer}") for layer, title in _LAYERS]
    keys = element("div", element("span", "drawn", class_="what"), element("div", labels), class_="keys")
    return element("div", inputs, keys, shots(images), class_="tabs gallery")


def shots(images: Iterable[Html]) -> Html:
    """Several images side by side, on which nothing is drawn that could be chosen."""
    return element("div", images, class_="shots")


def shot(
    record: DenseRecord,
    load_image: Callable[[str], Image.Image | None],
    fates: ImageFates | None = None,
    score: float | None = None,
    score_name: str = "mAP",
) -> Html:
    """One image. Without ``fates`` nothing is said about right and wrong, and truths stand as annotated."""
    groups = fates.groups if fates else [np.array([row]) for row in range(len(record.truth_captions))]
    rows = np.argsort(-record.scores, kind="stable")[:MOST_BOXES].tolist()
    truths = _chosen_truths(fates, rows, len(groups))
    merged = np.array([record.truth_boxes[group].mean(axis=0) for group in groups]).reshape(-1, 4)
    drawing = [
        *(_box(f"t{truth}", merged[truth], ["truth"], _phrases(record, groups[truth]), record) for truth in truths),
        *(_predicted_box(number, row, record, fates) for number, row in reversed(list(enumerate(rows, 1)))),
    ]
    if fates is None and not _partial_boxes(record):
        drawing = []
    head = element(
        "header",
        element("span", record.image_id, class_="id"),
        None if score is None else element("span", f"{score_name} ", figure(score)),
    )
    lists = [
        element("h4", "Predicted", _of(len(rows), len(record.captions))),
        element("ol", [_predicted_item(row, record, fates) for row in rows], class_="guesses"),
        element("h4", "Truth", _of(len(truths), len(groups))),
        element("ul", [_truth_item(truth, record, groups[truth], fates) for truth in truths], class_="truths"),
    ]
    return element("article", head, _picture(record, load_image, drawing), lists, class_="shot")


def _picture(record: DenseRecord, load_image: Callable[[str], Image.Image | None], drawing: list[Html]) -> Html:
    picture = load_image(record.image_id)
    size = {"width": f"{record.width:g}", "height": f"{record.height:g}"}
    if picture is None:
        below = element("rect", **size, class_="nothing")
    else:
        below = element("image", href=data_url(picture), **size, preserveAspectRatio="none")
    description = f"image {record.image_id} with boxes"
    view = f"0 0 {size['width']} {size['height']}"
    return element("svg", below, drawing, viewBox=view, role="img", aria_label=description)


def _predicted_box(number: int, row: int, record: DenseRecord, fates: ImageFates | None) -> Html:
    fate = DETECTION_CLASSES[fates.detections[row]] if fates else "plain"
    return _box(f"p{row}", record.boxes[row], ["guess", fate], record.captions[row], record, number)


def _box(key: str, box: Floats, classes: list[str], words: str, record: DenseRecord, number: int | None = None) -> Html:
    """A frame with its caption as a tooltip and, for predictions, their rank in its corner."""
    left, top, right, bottom = box.tolist()
    frame = element("rect", x=left, y=top, width=right - left, height=bottom - top, class_="frame")
    if number is None:
        frame = markup(
            [frame, element("rect", x=left, y=top, width=right - left, height=bottom - top, class_="dashes")]
        )
    size = max(record.width, record.height) / 28
    badge = None
    if number is not None:
        x, y = min(max(left, 0.0), record.width - size), min(max(top, 0.0), record.height - size)
        badge = [
            element("rect", x=x, y=y, width=size, height=size, class_="badge"),
            element(
                "text",
                number,
                x=x + size / 2,
                y=y + size * 0.78,
                style=f"font-size:{size * 0.74:.3g}px",
                text_anchor="middle",
            ),
        ]
    return element("g", element("title", words), frame, badge, class_=" ".join(["box", *classes]), data_box=key)


def _predicted_item(row: int, record: DenseRecord, fates: ImageFates | None) -> Html:
    score = f"score {record.scores[row]:.2f}"
    if fates is None:
        return _item(f"p{row}", "plain", record.captions[row], score if _partial_boxes(record) else "")
    fate, claimed = int(fates.detections[row]), int(fates.claimed[row])
    details = [DETECTION_FATES[fate], f"IoU {fates.iou[row]:.2f}", score]
    if claimed >= 0:
        details.insert(2, f"METEOR {fates.meteor[row]:.2f}")
    pair = f"t{claimed}" if claimed >= 0 else None
    return _item(f"p{row}", DETECTION_CLASSES[fate], record.captions[row], " · ".join(details), pair)


def _truth_item(truth: int, record: DenseRecord, group: np.ndarray, fates: ImageFates | None) -> Html:
    words = _phrases(record, group)
    if fates is None:
        return _item(f"t{truth}", "plain", words)
    claimants, fate = np.flatnonzero(fates.claimed == truth), int(fates.truths[truth])
    pair = f"p{claimants[0]}" if len(claimants) else None
    return _item(f"t{truth}", TRUTH_CLASSES[fate], words, TRUTH_FATES[fate], pair)


def _item(key: str, class_: str, words: str, details: str = "", pair: str | None = None) -> Html:
    """A line of the lists: ``key`` names the box it belongs to, ``pair`` the counterpart."""
    caption = element("span", words if words.strip() else element("i", "empty caption"), class_="caption")
    small = element("small", details) if details else None
    return element("li", element("i", class_=f"swatch {class_}"), caption, small, data_box=key, data_pair=pair)


def _partial_boxes(record: DenseRecord) -> bool:
    """Whether any box is smaller than its picture: captions of whole images have frames that say nothing."""
    boxes = np.concatenate((record.boxes, record.truth_boxes))
    return bool((boxes != (0, 0, record.width, record.height)).any())


def _chosen_truths(fates: ImageFates | None, rows: list[int], number: int) -> list[int]:
    """Truths to show: those near the boxes that are shown, then the others as they come."""
    near = [int(fates.best[row]) for row in rows if fates.iou[row] > 0] if fates else []
    return list(dict.fromkeys([*near, *range(number)]))[:MOST_TRUTHS]


def _phrases(record: DenseRecord, group: np.ndarray) -> str:
    """The distinct phrases of a merged truth, the first few of many."""
    phrases = list(dict.fromkeys(record.truth_captions[row] for row in group.tolist()))
    more = f" and {len(phrases) - MOST_PHRASES} more" if len(phrases) > MOST_PHRASES else ""
    return " / ".join(phrases[:MOST_PHRASES]) + more


def _of(shown: int, number: int) -> Html:
    words = f" {shown} of {number}" if shown < number else f" {number}"
    return element("small", words)
