"""The evaluation as tables on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from densecap.evaluation.parts import TITLES
from densecap.metrics.dense_map.conventions import IOU_THRESHOLDS


def show(report: Mapping[str, Any], console: Console) -> None:
    """Print the figures of a report, then what is missing, then its warnings."""
    data = report["data"]
    counts = f"{data['images']:,} images with {data['regions']:,} annotated regions"
    console.print(f"{data['name']}, split {data['split']}: {counts}")
    for protocol, part in report["protocols"].items():
        for table in _tables(protocol, part):
            console.print()
            console.print(table)
    if report["model"]:
        console.print()
        for line in _model_lines(report["model"]):
            console.print(line)
    if report["skipped"]:
        console.print()
        for reason in dict.fromkeys(report["skipped"].values()):
            names = [name for name, own in report["skipped"].items() if own == reason]
            console.print(f"left out: {', '.join(names)} ({reason})")
    for warning in report["warnings"]:
        console.print(f"note: {warning}", style="yellow")


def _tables(protocol: str, part: Mapping[str, Any]) -> list[Table]:
    title = TITLES[protocol] + (f", {part['boxes_kept']:,} kept" if protocol == "predicted" else "")
    tables = []
    if part.get("dense_map"):
        tables.append(_dense_table(title, part["dense_map"]))
    others = {}
    if "captions" in part:
        counts = ("captions", "references")
        others = {name: value for name, value in part["captions"].items() if name not in counts}
        title = (
            f"{TITLES[protocol]}: {part['captions']['captions']:,} with {part['captions']['references']:,} references"
        )
    if "language_meteor" in part:
        language = part["language_meteor"]
        others[f"language-only METEOR of {language['captions']:,} captions"] = language["METEOR"]
    if others:
        tables.append(_plain_table(title, others))
    return tables


def _dense_table(title: str, conventions: Mapping[str, Any]) -> Table:
    """A column for each convention."""
    table = Table(title=title, title_justify="left")
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


def _plain_table(title: str, figures: Mapping[str, Any]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column("")
    table.add_column("", justify="right")
    for name, value in figures.items():
        table.add_row(name, number(value))
    return table


def _model_lines(model: Mapping[str, Any]) -> list[str]:
    lines = []
    if "proposal_recall" in model:
        recall = ", ".join(f"{name.removeprefix('recall')} {number(v)}" for name, v in model["proposal_recall"].items())
        lines.append(f"proposal recall {recall}")
    if "perplexity" in model:
        lines.append(f"perplexity of the true captions {number(model['perplexity'], 2)}")
    return lines


def number(value: Any, digits: int = 4) -> str:
    """A figure with so many digits; "-" for one that cannot be said."""
    return "-" if value is None or value != value else f"{value:.{digits}f}"
