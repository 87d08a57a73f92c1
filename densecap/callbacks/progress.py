"""The bar of a run in a terminal, or lines where its output goes to a file; and how long it will take."""

from __future__ import annotations

import time
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import RichProgressBar
from rich.console import Console

from densecap.callbacks.remaining_time import RemainingTime
from densecap.callbacks.throughput import process_memory
from densecap.runs.durations import end_in_words, in_words

#: Steps after which the whole run's time is told, and the fewest steps for which it is worth telling.
TOLD_AFTER, WORTH_TELLING = 20, 60


class RunProgress(RichProgressBar):
    """Losses, main figures and the time left of the whole run, not only of the epoch.

    In a terminal a bar that is refreshed ``refresh_rate`` times a second at most; elsewhere, as in the log of a batch
    system, a line every ``seconds_between_lines`` and at every validation. Once, after some steps, it says how long the
    run will take and how much memory it needs.
    """

    def __init__(self, refresh_rate: int = 4, seconds_between_lines: float = 60.0) -> None:
        super().__init__(refresh_rate=refresh_rate, console_kwargs={"stderr": True})
        self.seconds_between_lines = seconds_between_lines
        self.time = RemainingTime(float("inf"))
        self._lines = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
        self._last_line = time.monotonic()
        self._told = self._validated = False
        self._in_terminal = self._lines.is_terminal

    @property
    def is_enabled(self) -> bool:
        return super().is_enabled and self._in_terminal

    def get_metrics(self, trainer: pl.Trainer, pl_module: Any) -> dict[str, Any]:
        """What the bar shows: the figures without the parts of the loss, and the time left."""
        shown = super().get_metrics(trainer, pl_module)
        kept = {name: value for name, value in shown.items() if "/loss_" not in name and name != "v_num"}
        remaining = self.time.remaining
        return kept if remaining is None else {**kept, "left": in_words(remaining)}

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        super().on_train_start(trainer, pl_module)
        self.time = RemainingTime(float(trainer.estimated_stepping_batches))
        self.time.begin(trainer.global_step)
        self._last_line = time.monotonic()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *arguments: Any) -> None:
        self.time.step(trainer.global_step)
        super().on_train_batch_end(trainer, pl_module, *arguments)
        if not self._told and self.time.steps - self.time.first_step >= TOLD_AFTER:
            self._tell(trainer, pl_module)
        if time.monotonic() - self._last_line > self.seconds_between_lines:
            self._line(trainer, pl_module)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        super().on_validation_start(trainer, pl_module)
        self.time.pause()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        super().on_validation_end(trainer, pl_module)
        self.time.go_on()
        self._validated = True
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            self._line(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """What comes after training may show a bar of its own."""
        super().on_train_end(trainer, pl_module)
        self._stop_progress()

    def _line(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """One line for those who read a file."""
        self._last_line = time.monotonic()
        if self._in_terminal or not trainer.is_global_zero or not super().is_enabled:
            return
        figures = self.get_metrics(trainer, pl_module)
        values = [f"{name} {_short(value)}" for name, value in figures.items() if name != "left"]
        left = [f"{figures['left']} left"] if figures.get("left", "0 s") != "0 s" else []
        self._lines.print(f"{self._place(trainer)}: {', '.join([*values, *left])}")

    def _place(self, trainer: pl.Trainer) -> str:
        end, epochs = self.time.total_steps, trainer.max_epochs or -1
        steps = f"step {trainer.global_step:,}" + (f" of {int(end):,}" if end < float("inf") else "")
        return f"epoch {trainer.current_epoch + 1}" + (f" of {epochs}" if epochs > 0 else "") + f", {steps}"

    def _tell(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Once: the time of the whole run, and the memory of one process."""
        self._told = True
        total, remaining, each = self.time.total, self.time.remaining, self.time.seconds_per_step
        if not trainer.is_global_zero or each is None or not super().is_enabled:
            return
        sentences = [f"{each:.2g} s a step", *_memory(pl_module.device)]
        if total is not None and remaining is not None and self.time.total_steps >= WORTH_TELLING:
            paused = "" if self._validated else ", validations not counted"
            when = f"about {in_words(total)} for {int(self.time.total_steps - self.time.first_step):,} steps{paused}"
            sentences = [f"{when}: until {end_in_words(remaining)}", *sentences]
        console = self.progress.console if self.progress is not None else self._lines
        console.print("; ".join(sentences), soft_wrap=True, highlight=False, markup=False)


def _memory(device: torch.device) -> list[str]:
    """What is in use now, the most so far on a GPU."""
    if device.type == "cuda":
        peak, whole = torch.cuda.max_memory_allocated(device), torch.cuda.get_device_properties(device).total_memory
        return [f"{peak / 2**30:.1f} GiB of the GPU's {whole / 2**30:.0f} at most so far"]
    return [f"{process_memory() / 2**30:.1f} GiB of memory"]


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
