"""Ctrl-C at a moment when nothing is half done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def unbroken(raise_after: bool = True) -> Iterator[None]:
    """Let Ctrl-C wait until the block is done, so that no line is written by half; then it counts, or is forgotten.

    What it does then is what it did before: KeyboardInterrupt, unless somebody handles it in another way.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed: list[int] = []
    previous = signal.signal(signal.SIGINT, lambda number, frame: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if pressed and raise_after and callable(previous):
        previous(signal.SIGINT, None)
