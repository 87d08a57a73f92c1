"""What was measured, as a table for people and a JSON file for programs.

The file: ``version`` (1), ``machine`` (see ``machine.describe``), ``product_rate`` (operations a second of a large
matrix product, by precision), ``settings`` (the resolved configuration) and ``results``, one object a part: ``part``,
``precision``, ``seconds`` (median, quartiles, best), ``repeats``, ``images`` worked on in one repetition,
``images_per_second``, ``operations`` (of its matrix products; null without any), ``floor_seconds`` and ``ratio``
(median over floor), ``floor`` (what that is: arithmetic or plain loop), ``peak_memory_bytes`` and ``note``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from densecap.benchmark.parts import MEANINGS, Result

FLOOR = (
    "floor: operations of the part's matrix products at the rate of the machine's own product; for the data's parts, "
    "the plain loop over the same files. ratio: median over floor."
)

#: Version of the JSON file.
VERSION = 1


def show(results: Sequence[Result], rates: Mapping[str, float], card: Mapping[str, Any], console: Console) -> None:
    """Print the table and what each part worked on."""
    products = ", ".join(f"{name} {rate / 1e9:,.0f} GFLOP/s" for name, rate in rates.items())
    machine = f"{card.get('gpu', card['processor'])}, {card['threads']} threads"
    console.print(f"{machine}; matrix product: {products}" if products else machine)
    table = Table(box=SIMPLE)
    for name in ("part", "", "median", "quartiles", "images/s", "floor", "ratio", "memory"):
        table.add_column(name, justify="left" if name in ("part", "") else "right", no_wrap=True)
    for result in results:
        table.add_row(*_row(result))
    console.print(table)
    for part, note in {result.part.name: result.part.note for result in results}.items():
        console.print("; ".join(text for text in (f"{part}: {MEANINGS[part]}", note) if text), soft_wrap=True)
    console.print(FLOOR, soft_wrap=True)


def _row(result: Result) -> list[str]:
    timing, floor, ratio = result.timing, result.floor, result.ratio
    return [
        result.part.name,
        result.precision,
        _seconds(timing.median),
        f"{_seconds(timing.quartiles[0])} .. {_seconds(timing.quartiles[1])}",
        f"{result.images_per_second:,.2f}",
        "" if floor is None else _seconds(floor),
        "" if ratio is None else f"{ratio:.2f}",
        f"{timing.peak_memory / 1e9:.1f} GB",
    ]


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{value * 1e3:.1f} ms"


def write(
    path: Path,
    results: Sequence[Result],
    rates: Mapping[str, float],
    card: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> None:
    """Write the JSON file of the parts of the captioner."""
    content = {
        "version": VERSION,
        "machine": dict(card),
        "product_rate": dict(rates),
        "settings": dict(settings),
        "results": [result.to_json() for result in results],
    }
    write_json(path, content)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file, under a temporary name until it is complete."""
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a file, under a temporary name until it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
