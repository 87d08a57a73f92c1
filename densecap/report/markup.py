"""Building HTML so that nothing a caption holds can become markup."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable

_VOID = {"br", "input", "meta", "wbr", "rect", "line", "path", "image"}


class Html(str):
    """Text that is markup already. Everything that is not of this type is escaped on its way into the page."""


#: What an element may hold: markup, plain text, numbers, or any nesting of these; None is nothing.
Content = Html | str | int | float | None | Iterable["Content"]


def markup(content: Content) -> Html:
    """Content as markup, one piece after the other."""
    if content is None:
        return Html("")
    if isinstance(content, Html):
        return content
    if isinstance(content, str):
        return Html(html.escape(content))
    if isinstance(content, int | float):
        return Html(str(content))
    return Html("".join(map(markup, content)))


def element(tag: str, /, *content: Content, **attributes: object) -> Html:
    """An element. ``class_`` stands for class, ``stroke_width`` for stroke-width; None and False leave one out."""
    opening = "".join([tag, *(_attribute(key, value) for key, value in attributes.items())])
    if tag in _VOID and not content:
        return Html(f"<{opening}/>")
    return Html(f"<{opening}>{markup(content)}</{tag}>")


def _attribute(key: str, value: object) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return f' {name}="{html.escape(text)}"'


def figure(value: float | None, digits: int = 3) -> Html:
    """A number to be read, with the exact one beneath it; "not defined" for NaN and None."""
    if value is None or math.isnan(value):
        return element("span", "not defined", class_="undefined")
    return element("data", f"{value:.{digits}f}", value=repr(float(value)))


def count(value: int) -> Html:
    """A count with thin spaces between thousands."""
    return element("data", f"{value:,}".replace(",", "\u202f"), value=value)


def percent(value: float, digits: int = 0) -> Html:
    """A share of 1 as a percentage."""
    if math.isnan(value):
        return figure(value)
    return element("data", f"{100 * value:.{digits}f}\u202f%", value=repr(float(value)))


def table(head: Iterable[Content], rows: Iterable[Iterable[Content]], **attributes: object) -> Html:
    """A table whose first column names the rows."""
    top = element("tr", [element("th", cell, scope="col") for cell in head])
    body = []
    for first, *rest in rows:
        body.append(element("tr", element("th", first, scope="row"), [element("td", cell) for cell in rest]))
    return element(
        "div", element("table", element("thead", top), element("tbody", body), **attributes), class_="scroll"
    )


def section(anchor: str, title: str, introduction: Content, *content: Content) -> Html:
    """A part of the page under a heading."""
    return element(
        "section",
        element("h2", title),
        element("p", introduction, class_="introduction") if introduction else None,
        *content,
        id=anchor,
    )


def tabs(name: str, panels: Iterable[tuple[str, Content]], chosen: int = 0, label: str = "") -> Html:
    """Panels of which one is shown, chosen by radio buttons: no script takes part. At most six."""
    panels = list(panels)
    if len(panels) == 1:
        return markup(panels[0][1])
    inputs = [
        element("input", type="radio", name=name, id=f"{name}-{place}", checked=place == chosen)
        for place in range(len(panels))
    ]
    labels = [element("label", title, for_=f"{name}-{place}") for place, (title, _) in enumerate(panels)]
    return element(
        "div",
        inputs,
        element("div", element("span", label, class_="what") if label else None, element("div", labels), class_="keys"),
        element("div", [element("div", content) for _, content in panels], class_="panels"),
        class_="tabs",
    )
