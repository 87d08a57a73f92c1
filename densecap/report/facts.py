"""The head of the page: what was evaluated, on what, by which rules, and what to be wary of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from densecap.evaluation.parts import TITLES
from densecap.report.markup import Content, Html, count, element

Report = Mapping[str, Any]


def title_of(report: Report) -> str:
    """Data set and split."""
    data = report.get("data") or {}
    return " · ".join(str(data[key]) for key in ("name", "split") if data.get(key)) or "evaluation"


def notices(report: Report) -> list[Html | None]:
    """All warnings, and why a measure is missing."""
    skipped = [f"{name}: {reason}" for name, reason in (report.get("skipped") or {}).items()]
    return [
        _notice("Read this first", list(report.get("warnings") or []), "warnings"),
        _notice("Not measured", skipped, "skipped"),
    ]


def _notice(title: str, sentences: list[str], class_: str) -> Html | None:
    if not sentences:
        return None
    items = [element("li", sentence) for sentence in sentences]
    return element("aside", element("h2", title), element("ul", items), class_=class_)


def facts(report: Report) -> Html:
    """Names and values, the ones that decide about a comparison."""
    rows = [element("div", element("dt", name), element("dd", value)) for name, value in _rows(report) if value]
    return element("dl", rows, class_="facts")


def details(report: Report) -> Html:
    """Everything else that the report states, for whoever wants to repeat the evaluation."""
    chosen = {
        key: report[key] for key in ("data", "predictions", "coordinates", "settings", "versions") if key in report
    }
    rows = [element("div", element("dt", name), element("dd", value)) for name, value in _entries(chosen)]
    return element("details", element("summary", "Files, settings and versions"), element("dl", rows, class_="facts"))


def _rows(report: Report) -> Iterator[tuple[str, Content]]:
    data, protocols = report.get("data") or {}, report.get("protocols") or {}
    if "images" in data:
        whole = data.get("split_images", data["images"])
        yield "images", [count(data["images"]), [" of ", count(whole)] if whole != data["images"] else None]
    if "regions" in data:
        yield "annotated captions" if "images" in protocols else "annotated regions", count(data["regions"])
    yield "protocol", "; ".join(TITLES.get(name, name) for name in protocols)
    for part in protocols.values():
        if "boxes_kept" in part:
            yield "boxes kept", count(part["boxes_kept"])
            break
    yield "conventions", ", ".join(name for name in _references(protocols))
    yield "references", _joined_references(_references(protocols))
    for name, source in (report.get("predictions") or {}).items():
        several = len(report["predictions"]) > 1
        yield f"file ({TITLES.get(name, name)})" if several else "file", source.get("file")
        yield "format", None if several else source.get("format")
        yield "model", _model(source.get("model"))
    for name, title in (("missing", "images without predictions"), ("outside", "predictions outside the split")):
        part = next(iter((report.get("coverage") or {}).values()), {name: {"count": 0}})
        yield title, count(part[name]["count"]) if part[name]["count"] else None


def _references(protocols: Report) -> dict[str, str]:
    """Convention to the references it used."""
    found: dict[str, str] = {}
    for part in protocols.values():
        found |= {name: figures["references"] for name, figures in (part.get("dense_map") or {}).items()}
    return found


def _joined_references(references: Mapping[str, str]) -> str:
    kinds = list(dict.fromkeys(references.values()))
    if len(kinds) == 1:
        return kinds[0]
    return "; ".join(f"{kind} ({', '.join(name for name in references if references[name] == kind)})" for kind in kinds)


def _model(model: Report | None) -> str:
    if not model:
        return ""
    known = [str(model[key]) for key in ("name", "checkpoint") if model.get(key)]
    return ", ".join(known)


def _entries(report: Report, prefix: str = "") -> Iterator[tuple[str, Content]]:
    for key, value in report.items():
        name = f"{prefix}{key}".replace("_", " ")
        if isinstance(value, Mapping):
            yield from _entries(value, f"{prefix}{key} · ")
        elif isinstance(value, list | tuple):
            yield name, ", ".join(map(str, value)) or "none"
        elif value is not None:
            yield name, count(value) if isinstance(value, int) and not isinstance(value, bool) else str(value)
