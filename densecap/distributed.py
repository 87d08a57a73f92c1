"""Which process this is, before and after torch.distributed has been started, and what all of them say together."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

#: The word that all processes look for.
_CALLED_OFF = "densecap/called-off"


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


def call_off() -> None:
    """Let all processes know, at whatever they are, that this one cannot go on."""
    if _together():
        _store().set(_CALLED_OFF, "1")


def is_called_off() -> bool:
    """Whether any process has called off the common work; it waits for none of them."""
    return _together() and bool(_store().check([_CALLED_OFF]))


def meet_anew() -> None:
    """To be called by every process before they look for each other: after a restart by torchrun they find each other.

    torchrun's own store remembers the addresses of the processes that it ended (PyTorch issue 135712), so the first of
    those it started again opens another. Only on one machine, where the number of restarts is the same for all.
    """
    environment = os.environ
    restarts = environment.get("TORCHELASTIC_RESTART_COUNT", "0")
    if restarts == "0" or environment.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return
    if environment.get("GROUP_WORLD_SIZE") != "1":
        return
    from torch.distributed import TCPStore

    store = TCPStore(environment["MASTER_ADDR"], int(environment["MASTER_PORT"]), is_master=False)
    key = f"densecap/port-{restarts}"
    if environment["RANK"] == "0":
        store.set(key, str(_free_port()))
    environment["MASTER_PORT"] = store.get(key).decode()
    environment["TORCHELASTIC_USE_AGENT_STORE"] = "False"


def _free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("", 0))
        return int(opened.getsockname()[1])


def _store() -> Any:
    from torch.distributed import distributed_c10d

    return distributed_c10d._get_default_store()


def _together() -> bool:
    from torch import distributed  # what predicts without PyTorch asks for its rank, too

    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1
