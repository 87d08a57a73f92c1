"""One Playwright for all tests of a process: it refuses to be started a second time beside itself."""

from __future__ import annotations

import atexit
from functools import cache
from typing import Any


@cache
def playwright() -> Any:
    """Playwright's own server, started at the first call and stopped when the process ends."""
    from playwright.sync_api import sync_playwright

    running = sync_playwright().start()
    atexit.register(running.stop)
    return running
