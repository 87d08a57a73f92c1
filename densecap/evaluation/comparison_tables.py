"""A comparison as tables on a terminal, as Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from densecap.evaluation.comparability import differences
from densecap.evaluation.comparison import Column, Evaluated, best, columns, tables

#: Characters between two columns on a terminal, and those that names get at least before a table is cut in two.
GAP = 2
NAME_WIDTH = 24


def headline(evaluations: Sequence[Evaluated]) -> str:
    """What all were evaluated on, or why they may not be compared."""
    data = evaluations[0].report["data"]
    count = f"{data['images']:,} image" + ("" if data["images"] == 1 else "s")
    return differences(evaluations) or f"{data['name']}, split {data['split']}: {count}"


def show(evaluations: Sequence[Evaluated], console: Console) -> None:
    """Print the tables, the best figure of each column in bold; a table that is too wide goes on below itself."""
    console.print(headline(evaluations), style="yellow" if differences(evaluations) else None, soft_wrap=True)
    names = min(NAME_WIDTH, max(len(own.name) for own in evaluations))
    for title, own in tables(evaluations).items():
        for number, part in enumerate(_fitting(own, console.width - names, evaluations)):
            console.print(f"\n{title}" + (", continued" if number else ""))
            console.print(_table(part, evaluations))
    if not columns(evaluations):
        console.print("\nthere is no figure in them")


def _fitting(own: Sequence[Column], room: int, evaluations: Sequence[Evaluated]) -> list[list[Column]]:
    """The columns in parts of at most ``room`` characters, one column at least in each."""
    parts: list[list[Column]] = [[]]
    used = 0
    for column in own:
        texts = [*column.heading.split("\n"), *(column.text(other.report) for other in evaluations)]
        width = max(map(len, texts)) + GAP
        if parts[-1] and used + width > room:
            parts.append([])
            used = 0
        parts[-1].append(column)
        used += width
    return parts


def _table(own: Sequence[Column], evaluations: Sequence[Evaluated]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, GAP - 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("", overflow="fold")
    for column in own:
        table.add_column(column.heading, justify="right", no_wrap=True, vertical="bottom")
    winners = [best(column, evaluations) for column in own]
    for row, evaluation in enumerate(evaluations):
        cells = [(column.text(evaluation.report), winner[row]) for column, winner in zip(own, winners)]
        table.add_row(Text(evaluation.name), *(Text(text, "bold" if wins else "") for text, wins in cells))
    return table


def as_markdown(evaluations: Sequence[Evaluated]) -> str:
    """The same tables, with the same line before them."""
    lines = [_escaped(headline(evaluations))]
    for title, own in tables(evaluations).items():
        winners = [best(column, evaluations) for column in own]
        lines += ["", f"**{title}**", ""]
        lines.append(_row(["evaluation", *(column.heading.replace("\n", ", ") for column in own)]))
        lines.append(_row(["---", *("---:" for _ in own)]))
        for row, evaluation in enumerate(evaluations):
            cells = [(column.text(evaluation.report), winner[row]) for column, winner in zip(own, winners)]
            lines.append(_row([_escaped(evaluation.name), *(f"**{text}**" if wins else text for text, wins in cells)]))
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    """With what Markdown would take for marks written as itself; underscores inside words are none."""
    return re.sub(r"(?<!\w)_|_(?!\w)|[\\`*|<\[]", lambda match: "\\" + match[0], text)


def rows(evaluations: Sequence[Evaluated]) -> list[dict[str, Any]]:
    """One flat object per evaluation: evaluation, report (its file), data, split, images, then every figure by its key,
    in full, None where there is none."""
    shared = columns(evaluations)
    found = []
    for own in evaluations:
        data = own.report["data"]
        facts = {"data": data["name"], "split": data["split"], "images": data["images"]}
        figures = {column.key: column.value(own.report) for column in shared}
        found.append({"evaluation": own.name, "report": str(own.path), **facts, **figures})
    return found


def as_csv(evaluations: Sequence[Evaluated]) -> str:
    """One table of all ``rows``; what an evaluation lacks is empty."""
    content = rows(evaluations)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(content[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(content)
    return text.getvalue()


def as_json(evaluations: Sequence[Evaluated]) -> str:
    """The list of ``rows``."""
    return json.dumps(rows(evaluations), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


#: Endings of files, to what is written there.
WRITERS = {".md": as_markdown, ".csv": as_csv, ".json": as_json}
