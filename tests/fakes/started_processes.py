"""What the system knows of the processes that a command has started (Linux)."""

from __future__ import annotations

import subprocess
import time
from contextlib import suppress
from pathlib import Path


def ranks_of(process: subprocess.Popen[str]) -> dict[int, int]:
    """The numbers of those that Lightning or torchrun started, by their ranks; other children do not count."""
    found: dict[int, int] = {}
    for place in Path(f"/proc/{process.pid}/task").glob("*/children"):
        for number in place.read_text().split():
            with suppress(OSError):
                words = Path(f"/proc/{number}/environ").read_bytes().split(b"\0")
                ranks = [word for word in words if word.startswith((b"RANK=", b"LOCAL_RANK="))]
                found |= {int(word.rpartition(b"=")[2]): int(number) for word in ranks}
    return found


def is_connected(number: int) -> bool:
    """Whether a process has found the others: before that it has nothing but files and pipes."""
    with suppress(OSError):
        return any("socket:" in str(path.readlink()) for path in Path(f"/proc/{number}/fd").iterdir())
    return False


def is_gone(number: int, seconds: float = 60) -> bool:
    """Whether a process has ended, or does within so many seconds."""
    deadline = time.monotonic() + seconds
    while Path(f"/proc/{number}").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    return not Path(f"/proc/{number}").exists()
