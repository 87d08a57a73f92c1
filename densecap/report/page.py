"""Writing the page."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from densecap.evaluation.result import Evaluation
from densecap.metrics.caption_use import CaptionUse
from densecap.report.dense import dense_sections
from densecap.report.facts import details, facts, notices, title_of
from densecap.report.figures import all_figures, headline
from densecap.report.gallery import gallery, shot
from densecap.report.markup import Html, element, section
from densecap.report.whole_images import whole_image_sections
from densecap.report.wording import wording

#: Best images shown, and as many worst.
NUM_IMAGES = 6


def write_page(path: Path, evaluation: Evaluation, num_images: int = NUM_IMAGES) -> None:
    """Write report.html; it appears under its name when it is complete."""
    text = page(evaluation, num_images)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(text.encode("utf-8", errors="xmlcharrefreplace"))
    temporary.replace(path)


def page(evaluation: Evaluation, num_images: int = NUM_IMAGES) -> str:
    """The whole page as text."""
    title = title_of(evaluation.report)
    sections = list(_sections(evaluation, num_images))
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"{title} · densecap evaluation"),
        element("style", _part("style.css")),
    )
    body = element("body", _header(evaluation, title), element("main", sections), element("script", _part("script.js")))
    return "<!DOCTYPE html>\n" + element("html", head, body, lang="en") + "\n"


def _part(name: str) -> Html:
    return Html(files("densecap.report").joinpath(name).read_text("utf-8"))


def _header(evaluation: Evaluation, title: str) -> Html:
    return element(
        "header",
        element("p", "densecap evaluation", class_="kicker"),
        element("h1", title),
        headline(evaluation.report),
        facts(evaluation.report),
        notices(evaluation.report),
        class_="top",
    )


def _sections(evaluation: Evaluation, num_images: int) -> Iterator[Html]:
    if tables := list(all_figures(evaluation.report)):
        yield section("figures", "Figures", None, tables)
    if evaluation.scores:
        yield from dense_sections(evaluation, num_images)
    elif "images" in (evaluation.report.get("protocols") or {}):
        yield from whole_image_sections(evaluation, num_images)
    elif evaluation.records:
        shots = [shot(record, evaluation.load_image) for record in evaluation.records[:num_images]]
        yield section("images", "Images", "The first of the split.", gallery("images", shots))
    predicted = CaptionUse.of(text for record in evaluation.records for text in record.captions)
    truth = CaptionUse.of(text for record in evaluation.records for text in record.truth_captions)
    introduction = "All captions that were kept, and all of the truth; words in lower case, without punctuation."
    yield section("captions", "Captions", introduction, wording(predicted, truth))
    yield element("footer", details(evaluation.report))
