"""Which process this is, before and after torch.distributed has been started."""

from __future__ import annotations

import os


def global_rank() -> int:
    """Rank of this process among all of the run, 0 when it is alone; read from what launchers set."""
    for name in ("RANK", "SLURM_PROCID", "LOCAL_RANK"):
        value = os.environ.get(name, "")
        if value.isdigit():
            return int(value)
    return 0
