"""Which process this is, before and after torch.distributed has been started."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path


def global_rank() -> int:
    """Rank of this process among all of the run, 0 when it is alone; read from what launchers set."""
    for name in ("RANK", "SLURM_PROCID", "LOCAL_RANK"):
        value = os.environ.get(name, "")
        if value.isdigit():
            return int(value)
    return 0


def rank_zero_makes(path: Path, make: Callable[[], object], timeout: float = 24 * 3600.0) -> None:
    """Let rank 0 make the file at ``path`` and the others wait for it, without torch.distributed.

    Errors: TimeoutError when it has not appeared after ``timeout`` seconds.
    """
    if global_rank() == 0:
        make()
        return
    deadline = time.monotonic() + timeout
    while not path.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout:.0f} s for rank 0 to make {path}")
        time.sleep(1.0)
