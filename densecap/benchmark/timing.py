"""Time and memory of a function, on the processor or a GPU."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from densecap.benchmark.memory import process_peak, reset_process_peak


@dataclass(frozen=True)
class Timing:
    """Seconds of each repetition, and the largest memory in bytes that the process (or GPU) held meanwhile."""

    seconds: tuple[float, ...]
    peak_memory: int = 0

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def best(self) -> float:
        return min(self.seconds)

    @property
    def quartiles(self) -> tuple[float, float]:
        """The first and third quartile; the extremes of fewer than three repetitions."""
        if len(self.seconds) < 3:
            return min(self.seconds), max(self.seconds)
        first, _, third = statistics.quantiles(self.seconds, n=4, method="inclusive")
        return first, third


def measure(function: Callable[[], object], repeats: int, device: torch.device, warmups: int = 1) -> Timing:
    """Run ``function`` a few times to warm up, then ``repeats`` times; a GPU is waited for at both ends."""
    for _ in range(warmups):
        function()
    reset_peak_memory(device)
    seconds = []
    for _ in range(repeats):
        synchronize(device)
        start = time.perf_counter()
        function()
        synchronize(device)
        seconds.append(time.perf_counter() - start)
    return Timing(tuple(seconds), peak_memory(device))


def synchronize(device: torch.device) -> None:
    """Wait until the device has done everything it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def reset_peak_memory(device: torch.device) -> None:
    """Forget earlier peaks, where the system can."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    else:
        reset_process_peak()


def peak_memory(device: torch.device) -> int:
    """Bytes: of tensors on a GPU, else of the whole process (since ``reset_peak_memory``, on Linux)."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return process_peak()
