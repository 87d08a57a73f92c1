"""All measures as tables, as the report states them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from densecap.evaluation.parts import TITLES
from densecap.metrics.dense_map.conventions import IOU_THRESHOLDS
from densecap.report.markup import Content, Html, count, element, figure, table

_TITLES = {
    "dense_mAP": "dense mAP",
    "detection_mAP": "detection mAP",
    **{f"AP_iou{iou}": f"detection, IoU {iou}" for iou in IOU_THRESHOLDS},
    "num_images": "images",
    "num_detections": "boxes",
    "num_truths": "truths (merged)",
    "captions": "captions",
    "distinct": "distinct captions",
    "references": "references",
    "captions_per_image": "captions of an image",
    "images_per_second": "images a second",
}


def all_figures(report: Mapping[str, Any]) -> Iterator[Html]:
    """A part for each protocol, and one for what only a model gives."""
    protocols = report.get("protocols") or {}
    for name, part in protocols.items():
        title = element("h3", TITLES.get(name, name).capitalize())
        dense = _conventions(part)
        others = element("div", _others(part), class_=None if dense else "groups")
        yield element(
            "div", title, element("div", _dense(dense) if dense else None, others, class_="protocol" if dense else None)
        )
    if model := report.get("model"):
        groups = list(_groups(model))
        single = {name: value for name, value in model.items() if not isinstance(value, Mapping)}
        tables = [_named(name.replace("_", " "), value) for name, value in groups]
        yield element(
            "div",
            element("h3", "The model itself"),
            element("div", tables, _named("other figures", single), class_="groups"),
        )


def _groups(model: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Figures that belong together, by a name; groups within a group carry its name too, as "retrieval: ..."."""
    for name, value in model.items():
        if isinstance(value, Mapping):
            plain = {key: figure for key, figure in value.items() if not isinstance(figure, Mapping)}
            if len(plain) < len(value):
                yield from _groups(value, f"{name}: ")
            yield f"{prefix}{name}", plain


def headline(report: Mapping[str, Any]) -> Html | None:
    """The figures of the main protocol that people quote, large."""
    part: Mapping[str, Any] = next(iter((report.get("protocols") or {}).values()), {})
    dense = _conventions(part)
    numbers = [
        (_TITLES[measure], name, figures["figures"][measure])
        for name, figures in dense.items()
        for measure in ("dense_mAP", "detection_mAP")
        if measure in figures["figures"] and (measure == "dense_mAP" or "dense_mAP" not in figures["figures"])
    ]
    if dense and numbers[0][0] == "dense mAP":
        name = numbers[0][1]
        numbers.insert(1, (_TITLES["detection_mAP"], name, dense[name]["figures"]["detection_mAP"]))
    captions = part.get("captions") or {}
    quoted = ("BLEU-4", "METEOR", "CIDEr-D", "ROUGE-L")
    numbers += [(name, "", captions[name]) for name in quoted if name in captions and not dense]
    tiles = [
        element("div", element("span", title, class_="what"), element("b", figure(value)), element("span", name))
        for title, name, value in numbers
    ]
    return element("div", tiles, class_="tiles") if tiles else None


def _conventions(part: Mapping[str, Any]) -> dict[str, Any]:
    """Figures of dense captioning by convention, ``standard`` first."""
    return dict(sorted((part.get("dense_map") or {}).items(), key=lambda item: item[0] != "standard"))


def _names(conventions: Mapping[str, Any]) -> list[Content]:
    """The head of a table; a name may break at its underscore."""
    return [
        "",
        *(
            [part if place == 0 else [element("wbr"), "_", part] for place, part in enumerate(name.split("_"))]
            for name in conventions
        ),
    ]


def _dense(conventions: Mapping[str, Any]) -> Html:
    """The figures people compare, and all of them on demand."""
    names = list(next(iter(conventions.values()))["figures"])
    short = [name for name in names if "meteor" not in name]
    counts = [name for name in _TITLES if name.startswith("num_")]
    stated = [[_TITLES[name], *(_value(part[name]) for part in conventions.values())] for name in counts]
    rows = _columns(conventions, short) + stated
    return element(
        "div",
        table(_names(conventions), rows, class_="plain dense"),
        element(
            "details",
            element("summary", f"All {len(names)} figures of each convention"),
            table(_names(conventions), _columns(conventions, names), class_="plain"),
        ),
    )


def _columns(conventions: Mapping[str, Any], names: list[str]) -> list[list[Content]]:
    return [[_title(name), *(_value(part["figures"][name]) for part in conventions.values())] for name in names]


def _others(part: Mapping[str, Any]) -> Iterator[Html | None]:
    titles = {"captions": "captions and references", "language_meteor": "language alone, wherever the boxes are"}
    for name, title in titles.items():
        if part.get(name):
            yield _named(title, part[name])


def _named(title: str, values: Mapping[str, Any]) -> Html | None:
    if not values:
        return None
    rows = [[_title(name), _value(value)] for name, value in values.items()]
    return element("div", element("h4", title), table(["", ""], rows, class_="plain"))


def _title(name: str) -> str:
    if name.startswith("AP_iou") and "_meteor" in name:
        iou, meteor = name.removeprefix("AP_iou").split("_meteor")
        return f"AP, IoU {iou}, METEOR > {meteor}"
    if name.startswith("recall@"):
        return name.replace("_iou", ", IoU ")
    return _TITLES.get(name, name.replace("_", " "))


def _value(value: object) -> Content:
    """Whole numbers are counts, other numbers figures; nothing is a figure that is not defined."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return count(value)
    return figure(value if isinstance(value, float) else None)
