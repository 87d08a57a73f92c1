"""All parts of the metrics' benchmark, their table and their file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from densecap.benchmark.metrics.caption_parts import bleu_cider, rouge, tokenizer
from densecap.benchmark.metrics.dense_parts import dense_map
from densecap.benchmark.metrics.meteor_parts import meteor_captions, meteor_phrases, meteor_start
from densecap.benchmark.metrics.rows import MetricRow
from densecap.benchmark.metrics.sizes import Sizes
from densecap.benchmark.report import VERSION, write_json
from densecap.metrics.meteor import MeteorUnavailable

#: Name of a part, as it is typed, and what measures it.
PARTS: dict[str, Callable[[Sizes], Iterator[MetricRow]]] = {
    "bleu_cider": bleu_cider,
    "rouge_l": rouge,
    "tokenizer": tokenizer,
    "meteor_phrases": meteor_phrases,
    "meteor_captions": meteor_captions,
    "meteor_start": meteor_start,
    "dense_map": dense_map,
}

THEIRS = "theirs: pycocoevalcap 1.2 on the same words, in the unit of what was measured; METEOR by its Java protocol."


def measure_metrics(
    names: Sequence[str], sizes: Sizes, announce: Callable[[str], object]
) -> tuple[list[MetricRow], dict[str, list[str]]]:
    """The rows of the named parts, and why others are missing: a sentence and the parts it is true of."""
    sizes.given_phrases()
    rows: list[MetricRow] = []
    left_out: dict[str, list[str]] = {}
    for name in names:
        announce(name)
        try:
            rows += PARTS[name](sizes)
        except MeteorUnavailable as error:
            left_out.setdefault(str(error), []).append(name)
    return rows, left_out


def show(rows: Sequence[MetricRow], left_out: Mapping[str, Sequence[str]], console: Console) -> None:
    """Print the table, the notes and what is missing."""
    table = Table(box=SIMPLE)
    for name in ("metric", "measured", "theirs", "ratio", "bar", ""):
        table.add_column(name, justify="left" if name == "metric" else "right", no_wrap=name != "metric")
    table.columns[0].min_width = 24
    for row in rows:
        table.add_row(*_cells(row))
    console.print(table)
    console.print(THEIRS, soft_wrap=True)
    differences = [row.difference for row in rows if row.difference is not None and row.part != "tokenizer"]
    if differences:
        console.print(f"largest difference between their scores and these: {max(differences):.1g}", soft_wrap=True)
    for note, part in {row.note: row.part for row in rows if row.note}.items():
        console.print(f"{part}: {note}", soft_wrap=True)
    for sentence, names in left_out.items():
        console.print(f"not measured: {', '.join(names)}. {sentence}", soft_wrap=True)


def write(path: Path, rows: Sequence[MetricRow], left_out: Mapping[str, Sequence[str]], **rest: Any) -> None:
    """Write the JSON file: ``version``, ``metrics`` (one object a row), ``left_out`` and what else is given."""
    content = {"version": VERSION, **rest, "metrics": [row.to_json() for row in rows], "left_out": dict(left_out)}
    write_json(path, content)


def _cells(row: MetricRow) -> list[str]:
    reached = {True: "reached", False: "MISSED", None: ""}[row.reached]
    return [
        row.what,
        f"{_number(row.measured)} {row.unit}",
        "" if row.other is None else _number(row.other),
        "" if row.ratio is None else f"{row.ratio:.1f} x",
        row.bar_text,
        reached,
    ]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
