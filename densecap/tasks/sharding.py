"""Weights, gradients and the optimiser's state spread over all processes (FSDP2), by Lightning's strategy for it."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import WeightAveraging
from pytorch_lightning.strategies import ModelParallelStrategy

from densecap.errors import UserError
from densecap.tasks.base import CaptioningTask


class FullySharded(ModelParallelStrategy):
    """Lightning's strategy with every process, of all machines, holding a share; what is saved is one whole file."""

    def __init__(self, **options: Any) -> None:
        super().__init__(data_parallel_size=1, tensor_parallel_size=1, save_distributed_checkpoint=False, **options)

    def setup_environment(self) -> None:
        self._data_parallel_size = self.num_nodes * self.num_processes
        super().setup_environment()


def spread_if_asked(task: CaptioningTask, trainer: pl.Trainer) -> None:
    """Prepare the task where the trainer's strategy is ``ModelParallelStrategy``; else nothing is changed.

    The model is one unit: its weights are gathered when a step begins and dropped after the gradients, so its parts
    may be called one by one in between, as training and the validation figures do. Errors: UserError for what does not
    go with it.
    """
    if not isinstance(trainer.strategy, ModelParallelStrategy):
        return
    if any(isinstance(callback, WeightAveraging) for callback in trainer.callbacks):  # type: ignore[attr-defined]
        raise UserError(
            "trainer=fsdp has no whole weights to average: choose trainer=ddp, or other callbacks than ema and swa"
        )
    spread = False

    def configure_model() -> None:
        """Lightning calls it where the processes know each other, perhaps more than once."""
        from torch.distributed.fsdp import fully_shard

        nonlocal spread
        mesh: Any = task.device_mesh
        if not spread:
            for parameter in task.model.parameters():  # convolutions are laid out channels last, which is not cut
                parameter.data = parameter.data.contiguous()
            fully_shard(task.model, mesh=mesh["data_parallel"])
            spread = True

    task.configure_model = configure_model  # type: ignore[method-assign]
