"""The preprocessing report as people read it."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from densecap.data.hdf5 import SPLITS
from densecap.data.report import VISUAL_GENOME_IMAGES


def show_report(report: dict[str, Any], console: Console, most_broken: int = 10) -> None:
    """Print a report of ``densecap.data.report``; of the broken images the first ``most_broken``."""
    console.print(_counts_table(report))
    console.print(_facts_table(report))
    broken = report["broken_images"]
    for entry in broken[:most_broken]:
        console.print(f"[yellow]left out:[/] {escape(entry['reason'])}", highlight=False, soft_wrap=True, markup=True)
    if len(broken) > most_broken:
        more = len(broken) - most_broken
        console.print(
            f"[yellow]left out:[/] {more:,} more images, all are listed in the report file",
            highlight=False,
            soft_wrap=True,
            markup=True,
        )
    for problem in report["problems"]:
        console.print(f"[yellow]note:[/] {escape(problem)}", highlight=False, soft_wrap=True, markup=True)


def _counts_table(report: dict[str, Any]) -> Table:
    table = Table(title=f"{report['name']}: kept and dropped", title_justify="left")
    table.add_column("")
    for name in (*SPLITS, "no split"):
        table.add_column(name, justify="right")
    for kind in ("images", "regions"):
        table.add_row(f"{kind} kept", *_cells(report[kind]["kept"]), style="bold")
        for reason, counts in report[kind]["dropped"].items():
            table.add_row(f"  {kind} dropped: {reason}", *_cells(counts))
    return table


def _cells(counts: dict[str, int]) -> list[str]:
    return [f"{counts[split]:,}" if counts.get(split) else "" for split in (*SPLITS, "-")]


def _facts_table(report: dict[str, Any]) -> Table:
    vocabulary, storage = report["vocabulary"], report["storage"]
    table = Table(show_header=False, box=None)
    rule = f"at least {vocabulary['min_token_count']} times in {' and '.join(vocabulary['counted_on'])}"
    table.add_row("vocabulary", f"{vocabulary['size']:,} of {vocabulary['distinct_words']:,} words, each {rule}")
    shares = ", ".join(f"{split} {share:.2%}" for split, share in vocabulary["share_unknown"].items())
    table.add_row("unknown words", f"{shares} of all words")
    table.add_row("images", f"{storage['copied']:,} copied untouched, {storage['reencoded']:,} re-encoded")
    table.add_row(
        "size", f"{storage['image_bytes'] / 1e6:,.1f} MB, {storage['bytes_per_image'] / 1e3:,.1f} kB an image"
    )
    if "full_visual_genome_gb" in storage:
        whole = f"{storage['full_visual_genome_gb']:.1f} GB for all {VISUAL_GENOME_IMAGES:,} images of Visual Genome"
        table.add_row("extrapolated", whole)
    for name, fact in report["facts"].items():
        table.add_row(name, escape(str(fact)))
    return table
