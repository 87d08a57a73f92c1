"""``device`` and ``devices`` of predict and eval: one process on one device, or a process on each of several."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from omegaconf import DictConfig, ListConfig

from densecap.commands.trained_model import choose_device
from densecap.errors import UserError


@dataclass(frozen=True)
class Devices:
    """``accelerator`` and ``devices`` as Lightning takes them; ``first`` is what one process alone works on."""

    first: torch.device
    accelerator: str = "cpu"
    devices: int | list[int] = 1

    @property
    def count(self) -> int:
        return self.devices if isinstance(self.devices, int) else len(self.devices)

    def all(self) -> list[torch.device]:
        """Every one of them; the processor as often as it was asked for."""
        if self.first.type != "cuda" or self.count == 1:
            return [self.first] * self.count
        numbers = self.devices if isinstance(self.devices, list) else range(self.devices)
        return [torch.device("cuda", number) for number in numbers]


def choose_devices(cfg: DictConfig) -> Devices:
    """The devices of ``cfg.device`` (which kind, or the one) and ``cfg.devices`` (null, a number, GPUs by number, or
    auto for all GPUs). Errors: UserError when they cannot be used."""
    kind, wanted = str(cfg.get("device") or "auto"), _plain(cfg.get("devices"))
    if wanted is None or (wanted == 1 and wanted is not True):
        return Devices(choose_device(kind))
    if ":" in kind:
        raise UserError(f"device={kind} is one device and devices={cfg.devices} are several: give one of the two")
    first = choose_device(kind)
    if wanted == "auto":
        wanted = torch.cuda.device_count() if first.type == "cuda" else 1
    numbers = [wanted] if isinstance(wanted, int) else wanted
    if not isinstance(numbers, list) or not numbers or not all(_is_whole(number) for number in numbers):
        raise UserError(f"devices={cfg.devices} should be a number, a list of GPUs such as [0,2], or auto")
    if first.type == "cuda":
        return _gpus(wanted)
    if isinstance(wanted, list) or wanted < 1:
        raise UserError(
            f"devices={cfg.devices} means GPUs, and this runs on the processor: give the number of processes"
        )
    return Devices(first, "cpu", wanted)


def _gpus(wanted: int | list[int]) -> Devices:
    there = torch.cuda.device_count()
    numbers = list(range(wanted)) if isinstance(wanted, int) else wanted
    if not numbers or len(set(numbers)) < len(numbers) or max(numbers) >= there:
        raise UserError(f"devices={wanted} cannot be used: there are {there} GPUs here, counted from 0")
    first = torch.device("cuda", numbers[0])
    return Devices(first) if len(numbers) == 1 else Devices(first, "gpu", numbers)


def _is_whole(number: Any) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number >= 0


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, ListConfig | Sequence) and not isinstance(value, str) else value


def started_by_launcher() -> bool:
    """Whether torchrun or srun started the processes, rather than this one the others."""
    return "TORCHELASTIC_RUN_ID" in os.environ or int(os.environ.get("SLURM_NTASKS") or 1) > 1
