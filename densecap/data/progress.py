"""The progress bar of preprocessing: share, rate and remaining time."""

from __future__ import annotations

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f} images/s")


def image_progress(console: Console) -> Progress:
    """A bar that counts images; use it as a context, ``add_task(description, total=...)``, ``advance(task, count)``."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _RateColumn(), TimeElapsedColumn())
    # Drawing takes a few milliseconds, which rich's ten times a second would take from the work.
    return Progress(*columns, TextColumn("left"), TimeRemainingColumn(), console=console, refresh_per_second=3)
