"""``debug=profile``: where the time of a training step goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from rich.console import Console
from torch.profiler import ProfilerActivity, profile, schedule

#: The files in the run folder.
TABLE, TRACE = "profile.txt", "profile_trace.json.gz"


class ProfileSteps(pl.Callback):
    """Runs PyTorch's profiler over ``steps`` steps after ``skip`` others, and writes ``profile.txt``, a table of the
    operations that take longest, and ``profile_trace.json.gz``, which chrome://tracing and ui.perfetto.dev show.

    The first ``rows`` rows are printed. Of several processes the first is looked at.
    """

    def __init__(self, skip: int = 3, steps: int = 5, rows: int = 15) -> None:
        self.skip, self.steps, self.rows = skip, steps, rows
        self._profiler: profile | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if not trainer.is_global_zero:
            return
        activities = [ProfilerActivity.CPU]
        activities += [ProfilerActivity.CUDA] if pl_module.device.type == "cuda" else []
        plan = schedule(wait=max(self.skip - 1, 0), warmup=1, active=self.steps, repeat=1)
        self._profiler = profile(activities=activities, schedule=plan, record_shapes=True, profile_memory=True)
        self._profiler.start()

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if self._profiler is not None:
            self._profiler.step()

    def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if self._profiler is None:
            return
        self._profiler.stop()
        folder, averages = Path(trainer.default_root_dir), self._profiler.key_averages()
        by = "self_cuda_time_total" if pl_module.device.type == "cuda" else "self_cpu_time_total"
        (folder / TABLE).write_text(averages.table(sort_by=by, row_limit=100), encoding="utf-8")
        self._profiler.export_chrome_trace(str(folder / TRACE))
        console = Console(stderr=True, soft_wrap=True, markup=False, highlight=False)
        console.print(averages.table(sort_by=by, row_limit=self.rows, max_name_column_width=50))
        console.print(f"the table of {self.steps} steps: {folder / TABLE}")
        console.print(f"their course, for chrome://tracing or ui.perfetto.dev: {folder / TRACE}")
        self._profiler = None
