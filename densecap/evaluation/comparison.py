"""Several evaluations side by side: which figures they have, which are best, whether they may be compared.

Imports nothing slow. A report is what report.json holds (``densecap.evaluation.schema``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CAPTION_FIGURES = ("BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "METEOR", "ROUGE-L", "CIDEr-D", "distinct")
CAPTION_TABLES = {
    "images": "captions of whole images",
    "truth": "captions of true boxes",
    "predicted": "captions of predicted boxes",
}
BOXES = {"predicted": "predicted boxes", "truth": "true boxes"}
DENSE_FIGURES = {"dense_mAP": "dense mAP", "detection_mAP": "detection mAP"}
RECALL_TABLE = "proposal recall, by number of proposals and overlap"
DIRECTIONS = {"sentence_from_image": "sentences found by images", "image_from_sentence": "images found by sentences"}
#: Levels of a report that the key of a figure does not repeat.
SECTIONS = frozenset({"protocols", "captions", "dense_map", "figures", "model", "retrieval", "proposal_recall"})

Report = Mapping[str, Any]


@dataclass(frozen=True)
class Evaluated:
    """One evaluation: a row."""

    name: str
    path: Path
    report: Report


@dataclass(frozen=True)
class Column:
    """One figure: the table it stands in, its heading there, where reports hold it, and how it is read."""

    table: str
    heading: str
    path: tuple[str, ...]
    digits: int = 4
    lower_is_better: bool = False

    @property
    def key(self) -> str:
        """The figure's name where tables do not tell it, as "truth/BLEU-4" or "predicted/standard/dense_mAP"."""
        return "/".join(part for part in self.path if part not in SECTIONS)

    def value(self, report: Report) -> float | None:
        """The figure; None where the report has none, or none that is a finite number."""
        found = lookup(report, self.path)
        is_number = isinstance(found, int | float) and not isinstance(found, bool)
        return found if is_number and math.isfinite(found) else None

    def text(self, report: Report) -> str:
        """The figure as it is shown; "-" for none."""
        value = self.value(report)
        return "-" if value is None else f"{value:.{self.digits}f}"


def lookup(report: Report, path: Sequence[str]) -> Any:
    """What stands at the end of a path of keys; None where it breaks off."""
    found: Any = report
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def columns(evaluations: Sequence[Evaluated]) -> list[Column]:
    """The figures that one evaluation has at least, those of a table beside each other."""
    reports = [own.report for own in evaluations]
    known = [*_caption_columns(), *_dense_columns(reports), *_model_columns(reports), *_retrieval_columns()]
    return [column for column in known if any(column.value(report) is not None for report in reports)]


def tables(evaluations: Sequence[Evaluated]) -> dict[str, list[Column]]:
    """The columns by the title of their table."""
    found: dict[str, list[Column]] = {}
    for column in columns(evaluations):
        found.setdefault(column.table, []).append(column)
    return found


def _caption_columns() -> Iterator[Column]:
    for protocol, table in CAPTION_TABLES.items():
        for name in CAPTION_FIGURES:
            yield Column(table, name, ("protocols", protocol, "captions", name))


def _dense_columns(reports: Sequence[Report]) -> Iterator[Column]:
    """Of each protocol dense mAP with METEOR of the words alone, then detection mAP; a column for each convention."""
    for protocol, boxes in BOXES.items():
        names = _names(reports, ("protocols", protocol, "dense_map"))
        for figure, title in DENSE_FIGURES.items():
            table = f"{title} of {boxes}"
            for name in names:
                yield Column(table, name, ("protocols", protocol, "dense_map", name, "figures", figure))
            if figure == "dense_mAP":
                yield Column(table, "language METEOR", ("protocols", protocol, "language_meteor", "METEOR"))


def _model_columns(reports: Sequence[Report]) -> Iterator[Column]:
    yield Column(
        "what was annotated, read to the model", "perplexity", ("model", "perplexity"), digits=2, lower_is_better=True
    )
    path = ("model", "proposal_recall")
    for name in sorted(_names(reports, path), key=lambda name: [float(number) for number in _numbers(name)]):
        count, overlap = (*_numbers(name), "", "")[:2]
        yield Column(RECALL_TABLE, f"{count}\nIoU {overlap}" if overlap else name, (*path, name))


def _retrieval_columns() -> Iterator[Column]:
    for direction, table in DIRECTIONS.items():
        path = ("model", "retrieval", direction)
        yield from (Column(table, name, (*path, name)) for name in ("R@1", "R@5", "R@10"))
        yield Column(table, "median rank", (*path, "median_rank"), digits=1, lower_is_better=True)


def _names(reports: Sequence[Report], path: Sequence[str]) -> list[str]:
    """The keys of a section in any of the reports, in their order."""
    sections = [lookup(report, path) for report in reports]
    return list(dict.fromkeys(str(name) for own in sections if isinstance(own, Mapping) for name in own))


def _numbers(name: str) -> list[str]:
    """The numbers in a name such as recall@100_iou0.5."""
    return re.findall(r"\d+(?:\.\d+)?", name)


def best(column: Column, evaluations: Sequence[Evaluated]) -> list[bool]:
    """Which evaluations have the best figure, as far as it is shown; none where all that have one have the same."""
    shown = [column.text(own.report) for own in evaluations]
    values = {float(text) for text in shown if text != "-"}
    if len(values) < 2:
        return [False] * len(shown)
    winner = min(values) if column.lower_is_better else max(values)
    return [text != "-" and float(text) == winner for text in shown]
