"""The largest resident memory of this process, without importing torch."""

from __future__ import annotations

import contextlib
import resource
import sys
from pathlib import Path

#: Where Linux tells the largest resident memory of this process, and where it is told to start anew.
STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def process_peak() -> int:
    """Bytes, since the start of this program or ``reset_process_peak``; elsewhere than on Linux, of the process."""
    try:
        line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def reset_process_peak() -> None:
    """Forget earlier peaks, where the system can; elsewhere the peak is that of the process so far."""
    with contextlib.suppress(OSError):
        RESET.write_text("5")
