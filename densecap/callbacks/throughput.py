"""How fast a run is and what memory it takes, logged beside the losses."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from densecap.structures import Batch


class Throughput(pl.Callback):
    """Logs speed/images_per_second, speed/regions_per_second (annotated ones), speed/data_wait_share and memory/...

    Means over the steps between two logged ones; validations are left out. The numbers of images and regions are those
    of all devices, taken to be as busy as the first. ``data_wait_share`` is the share of the time in which the first
    process waited for the next batch; writing a checkpoint between two steps counts as waiting.
    """

    def __init__(self) -> None:
        self._begin(time.perf_counter())

    def _begin(self, now: float) -> None:
        self._since = self._last_end = now
        self._waited = 0.0
        self._images = self._regions = 0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._begin(time.perf_counter())

    def on_validation_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._validation_began = time.perf_counter()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        pause = time.perf_counter() - self._validation_began
        self._since, self._last_end = self._since + pause, self._last_end + pause

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: Any, batch: Batch, batch_idx: int) -> None:
        self._waited += time.perf_counter() - self._last_end

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        self._last_end = now = time.perf_counter()
        self._images += len(batch)
        self._regions += sum(map(len, batch.regions))
        step = trainer.global_step
        if not trainer.loggers or step == 0 or step % trainer.log_every_n_steps:  # type: ignore[attr-defined]
            return
        figures = {**self.figures(now, trainer.world_size), **memory(pl_module.device)}
        for logger in trainer.loggers:
            logger.log_metrics(figures, step=step - 1)  # the step whose losses are logged
        self._begin(now)

    def figures(self, now: float, world_size: int = 1) -> dict[str, float]:
        """Speeds since the last ones, by the names they are logged under."""
        seconds = max(now - self._since, 1e-9)
        return {
            "speed/images_per_second": world_size * self._images / seconds,
            "speed/regions_per_second": world_size * self._regions / seconds,
            "speed/data_wait_share": self._waited / seconds,
        }


def memory(device: torch.device) -> dict[str, float]:
    """GiB that this process has in memory, and on a GPU what its tensors took at most."""
    found = {"memory/process_GiB": process_memory() / 2**30}
    if device.type == "cuda":
        found["memory/gpu_peak_GiB"] = torch.cuda.max_memory_allocated(device) / 2**30
        found["memory/gpu_reserved_GiB"] = torch.cuda.memory_reserved(device) / 2**30
    return found


def process_memory() -> int:
    """Bytes of this process in memory; where the system does not tell, the most it ever had."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        pass
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
