"""How long a run will still take, from how long its steps and validations took so far."""

from __future__ import annotations

import math
import time
from collections.abc import Callable


class RemainingTime:
    """``total_steps`` may be infinite. The first ``warmup`` steps, in which memory is laid out and code is compiled,
    are not representative and are left out where others follow."""

    def __init__(self, total_steps: float, warmup: int = 3, clock: Callable[[], float] = time.monotonic) -> None:
        self.total_steps, self.warmup = total_steps, warmup
        self._clock = clock
        self._began: float | None = None
        self._counted_from = 0
        self._pause_began: float | None = None
        self._pauses = 0.0
        self.steps = 0
        self.first_step = 0

    def begin(self, step: int = 0) -> None:
        """Training starts, or goes on, at this step."""
        self.steps = self.first_step = self._counted_from = step
        self._began = self._clock()

    def step(self, step: int) -> None:
        """This many optimiser steps are done."""
        self.steps = step
        if step == self.first_step + self.warmup:
            self._began, self._counted_from, self._pauses = self._clock(), step, 0.0

    def pause(self) -> None:
        """A validation begins."""
        self._pause_began = self._clock()

    def go_on(self) -> None:
        """The validation is over."""
        if self._pause_began is not None:
            self._pauses += self._clock() - self._pause_began
            self._pause_began = None

    @property
    def seconds_per_step(self) -> float | None:
        """Of training alone; None before a step is done."""
        done = self.steps - self._counted_from
        if self._began is None or done <= 0:
            return None
        return (self._clock() - self._began - self._pauses) / done

    @property
    def remaining(self) -> float | None:
        """Seconds, with validations as they were so far; None when that is not known or there is no end."""
        done = self.steps - self._counted_from
        if self._began is None or done <= 0 or not math.isfinite(self.total_steps):
            return None
        return max(self.total_steps - self.steps, 0) * (self._clock() - self._began) / done

    @property
    def total(self) -> float | None:
        """Seconds that all steps from the first of this process to the last take."""
        remaining, each = self.remaining, self.seconds_per_step
        if remaining is None or each is None:
            return None
        return remaining + (self.steps - self.first_step) * each
