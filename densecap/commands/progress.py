"""The progress bar of commands that run a model: share, rate and remaining time."""

from __future__ import annotations

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class _Rate(ProgressColumn):
    """Images a second, or seconds an image when that is slow."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        if not speed:
            return Text("")
        return Text(f"{speed:.1f} images/s" if speed >= 1 else f"{1 / speed:.1f} s/image")


def model_progress(console: Console) -> Progress:
    """A bar that counts images, nothing where ``console`` is no terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)


class _PairRate(ProgressColumn):
    """Thousands of pairs a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed / 1000:,.1f}k pairs/s" if speed else "")


def pair_progress(console: Console) -> Progress:
    """A bar for so many pairs that their number says nothing: share, rate and remaining time."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), _PairRate(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)
