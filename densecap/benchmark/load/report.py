"""What a load came to, as a table for people and plain values for a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from densecap.benchmark.load.crowd import Load


def show(loads: Sequence[Load], console: Console) -> None:
    """Print a row for each load, the ratio being p99 over the median, and what went wrong."""
    table = Table(box=SIMPLE, padding=(0, 1), pad_edge=False)
    for name in ("clients", "answers/s", "median", "p99", "ratio", "errors", "memory", "growth"):
        table.add_column(name, justify="right", no_wrap=True)
    for load in loads:
        table.add_row(*_row(load))
    console.print(table)
    if len(loads) > 1 and loads[0].requests_per_second:
        ratio = loads[-1].requests_per_second / loads[0].requests_per_second
        console.print(f"{loads[-1].clients} clients get {ratio:.2f} times the answers of one at a time")
    for load in loads:
        for text, count in load.errors.most_common(5):
            console.print(f"{count} times {text}", soft_wrap=True)


def _row(load: Load) -> list[str]:
    median, slowest, growth = load.percentile(50), load.percentile(99), load.memory_growth
    return [
        str(load.clients),
        f"{load.requests_per_second:.1f}",
        _time(median),
        _time(slowest),
        f"{slowest / median:.2f}" if load.latencies else "",
        str(load.errors.total()),
        f"{load.memory[-1] / 1e6:.0f} MB" if growth is not None else "",
        f"{growth:+.1%}" if growth is not None else "",
    ]


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.0f} ms"


def to_json(load: Load) -> dict[str, Any]:
    """Plain values: latencies in seconds, memory in bytes a second."""
    return {
        "clients": load.clients,
        "seconds": round(load.seconds, 3),
        "requests": len(load.latencies),
        "requests_per_second": round(load.requests_per_second, 3),
        "median": round(load.percentile(50), 5) if load.latencies else None,
        "p99": round(load.percentile(99), 5) if load.latencies else None,
        "errors": dict(load.errors),
        "memory": load.memory,
        "memory_growth": load.memory_growth,
    }
