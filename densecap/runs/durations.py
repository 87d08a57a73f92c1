"""Durations and ends of runs as people say them."""

from __future__ import annotations

from datetime import datetime, timedelta


def in_words(seconds: float) -> str:
    """A duration as people say it: "45 s", "12 min", "3 h 20 min", "2 days 4 h"."""
    if seconds < 60:
        return f"{max(round(seconds), 0)} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} day{'s' if days > 1 else ''}" + (f" {hours} h" if hours else "")


def end_in_words(seconds: float, now: datetime | None = None) -> str:
    """When it will be over: "14:05", with the date when that is not today."""
    now = now or datetime.now()
    end = now + timedelta(seconds=seconds)
    return f"{end:%H:%M}" if end.date() == now.date() else f"{end:%Y-%m-%d %H:%M}"
