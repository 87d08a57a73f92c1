"""The evaluation as tables on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from densecap.evaluation.joining import counted
from densecap.evaluation.parts import TITLES
from densecap.metrics.dense_map.conventions import IOU_THRESHOLDS

#: Figures of captions whose names in a report are no names for readers.
LABELS = {"distinct": "distinct captions"}


def show(report: Mapping[str, Any], console: Console) -> None:
    """Print the figures of a report, then what is missing, then its warnings."""
    data = report["data"]
    noun = "annotated caption" if "images" in report["protocols"] else "annotated region"
    counts = f"{counted(data['images'], 'image')} with {counted(data['regions'], noun)}"
    console.print(f"{data['name']}, split {data['split']}: {counts}")
    for protocol, part in report["protocols"].items():
        for title, table in _tables(protocol, part):
            console.print(f"\n{title}")
            console.print(table)
    if report["model"]:
        for title, table in _model_tables(report["model"]):
            console.print(f"\n{title}")
            console.print(table)
    if report["skipped"]:
        console.print()
        for reason in dict.fromkeys(report["skipped"].values()):
            names = [name for name, own in report["skipped"].items() if own == reason]
            console.print(f"left out: {', '.join(names)} ({reason})", soft_wrap=True)
    for warning in report["warnings"]:
        console.print(f"note: {warning}", style="yellow", soft_wrap=True)


def _tables(protocol: str, part: Mapping[str, Any]) -> Iterator[tuple[str, Table]]:
    """Titles and tables of a protocol."""
    if part.get("dense_map"):
        yield f"{TITLES[protocol]}, {part['boxes_kept']:,} kept", _dense_table(part["dense_map"])
    if captions := part.get("captions"):
        figures = {name: value for name, value in captions.items() if name not in ("captions", "references")}
        counts = f"{captions['captions']:,} with {counted(captions['references'], 'reference')}"
        if figures:
            yield (
                f"{TITLES[protocol]}: {counts}",
                _plain_table({LABELS.get(name, name): own for name, own in figures.items()}),
            )
    if language := part.get("language_meteor"):
        title = f"language only, {counted(language['captions'], 'caption')} against all phrases of their images"
        yield title, _plain_table({"METEOR": language["METEOR"]})


def _dense_table(conventions: Mapping[str, Any]) -> Table:
    """A column for each convention."""
    table = Table()
    table.add_column("")
    for name in conventions:
        table.add_column(name, justify="right")
    columns = [own["figures"] for own in conventions.values()]
    rows = {"dense_mAP": "dense mAP", "detection_mAP": "detection mAP"}
    rows |= {f"AP_iou{iou}": f"  AP at IoU {iou}" for iou in IOU_THRESHOLDS}
    for key, name in rows.items():
        if any(key in figures for figures in columns):
            style = "bold" if key == "dense_mAP" else None
            table.add_row(name, *(number(figures.get(key)) for figures in columns), style=style)
    table.add_row("references", *(str(own["references"]) for own in conventions.values()))
    return table


def _plain_table(figures: Mapping[str, Any]) -> Table:
    table = Table(show_header=False)
    table.add_column("")
    table.add_column("", justify="right")
    for name, value in figures.items():
        table.add_row(name, number(value))
    return table


def _model_tables(model: Mapping[str, Any]) -> Iterator[tuple[str, Table]]:
    if recall := model.get("proposal_recall"):
        yield "proposal recall", _recall_table(recall)
    if "perplexity" in model:
        table = Table(show_header=False)
        table.add_row("perplexity", number(model["perplexity"], 2))
        yield "what was annotated, read to the model", table
    if retrieval := model.get("retrieval"):
        yield "retrieval", _retrieval_table(retrieval)


def _retrieval_table(retrieval: Mapping[str, Any]) -> Table:
    """A row for each direction."""
    table = Table()
    for title in ("", "R@1", "R@5", "R@10", "median rank"):
        table.add_column(title, justify="right" if title else "left")
    for name in ("sentence_from_image", "image_from_sentence"):
        own = retrieval[name]
        what = f"{name.replace('_', ' ')}, {own['queries']:,} among {own['candidates']:,}"
        table.add_row(what, *(number(own[key]) for key in ("R@1", "R@5", "R@10")), number(own["median_rank"], 1))
    return table


def _recall_table(recall: Mapping[str, Any]) -> Table:
    """Rows of counts and columns of overlaps, from names like recall@100_iou0.5."""
    cells = {tuple(name.removeprefix("recall@").split("_iou")): value for name, value in recall.items()}
    counts, overlaps = (list(dict.fromkeys(key[place] for key in cells)) for place in (0, 1))
    table = Table()
    for title in ("proposals", *(f"IoU {overlap}" for overlap in overlaps)):
        table.add_column(title, justify="right")
    for count in counts:
        table.add_row(count, *(number(cells.get((count, overlap))) for overlap in overlaps))
    return table


def number(value: Any, digits: int = 4) -> str:
    """A figure with so many digits; "-" for one that cannot be said."""
    return "-" if value is None or value != value else f"{value:.{digits}f}"
