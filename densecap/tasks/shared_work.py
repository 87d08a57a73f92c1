"""Work that several processes (ranks) share, in batches that Lightning's loop of predictions hands to each.

Nothing but the start and the end is common: every rank takes its own batches, and its report is sent to the first.
"""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import pytorch_lightning as pl
import torch
from torch import nn

from densecap.errors import UserError


@dataclass
class WorkReport:
    """Whether Ctrl-C ``stopped`` a rank, and the ``problem`` that ended it; a subclass has what it did."""

    stopped: bool = False
    problem: str = ""


Report = TypeVar("Report", bound=WorkReport)


class SharedWork(pl.LightningModule, Generic[Report]):
    """Lightning's view of such work with a model; a subclass has the batches of a rank, and what is done with one.

    No more batches are taken once ``stop`` is set. ``report`` holds nothing that cannot be sent to another process.
    """

    #: What the first process says when another was ended from outside.
    ended = "a process of this run was ended"

    def __init__(self, model: nn.Module, report: Report) -> None:
        super().__init__()
        self.model, self.report = model, report
        self.stop = threading.Event()
        #: Called before this process is ended because another one was: for what should not be left behind.
        self.give_up: Callable[[], None] = lambda: None

    @abstractmethod
    def batches(self) -> Iterator[Any]:
        """Those of this rank; asked for when every rank is there."""

    @abstractmethod
    def take(self, batch: Any) -> None:
        """Errors: UserError or OSError, which end the work of this rank and are told by the first."""

    def finish(self) -> None:
        """Called when the last batch was taken, also after a stop or a problem; by default nothing is to be done."""

    def setup(self, stage: str) -> None:
        self.trainer.strategy.barrier("every process is there")

    def predict_dataloader(self) -> Any:
        return _Batches(self)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        return batch  # the model takes images as they were read

    def predict_step(self, batch: Any, batch_idx: int) -> None:
        if not self.stop.is_set():
            with self.noting_problems():
                self.take(batch)

    @contextmanager
    def noting_problems(self) -> Iterator[None]:
        """A rank with a problem takes no more images, but stays until the others are done."""
        try:
            yield
        except (UserError, OSError) as error:
            self.report.problem = self.report.problem or str(error)
            self.stop.set()


@dataclass
class _Batches:
    """The loader, which must not begin before everything is set up."""

    work: SharedWork

    def __iter__(self) -> Iterator[Any]:
        return self.work.batches()
