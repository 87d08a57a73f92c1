"""Which process this is, before and after torch.distributed has been started, and what all of them say together."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor


def global_rank() -> int:
    """Rank of this process among all of the run, 0 when it is alone; read from what launchers set."""
    for name in ("RANK", "SLURM_PROCID", "LOCAL_RANK"):
        value = os.environ.get(name, "")
        if value.isdigit():
            return int(value)
    return 0


def gather(value: Any) -> list[Any]:
    """What every process passed, in the order of their ranks; all must call it at the same time."""
    if not _together():
        return [value]
    from torch import distributed

    values: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(values, value)
    return values


def sum_over_processes(values: Tensor) -> Tensor:
    """The sum of what every process passed, without gradients; all must call it at the same time."""
    if not _together():
        return values
    from torch import distributed

    total = values.detach().clone()
    distributed.all_reduce(total)
    return total


def mean_over_processes(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Each value's mean over all processes, without gradients; all must call it at the same time."""
    if not _together():
        return dict(values)
    import torch

    total = sum_over_processes(torch.stack([value.detach() for value in values.values()]))
    return dict(zip(values, total / world_size()))


def world_size() -> int:
    """How many processes work together; 1 before they have found each other."""
    from torch import distributed

    return distributed.get_world_size() if _together() else 1


def _together() -> bool:
    from torch import distributed  # what predicts without PyTorch asks for its rank, too

    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1
