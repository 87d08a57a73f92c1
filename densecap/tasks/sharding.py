"""Weights, gradients and the optimiser's state spread over all processes (FSDP2), by Lightning's strategy for it."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.strategies.model_parallel import _load_raw_module_state
from pytorch_lightning.callbacks import WeightAveraging
from pytorch_lightning.strategies import ModelParallelStrategy
from torch import nn
from torch.optim import Optimizer

from densecap.errors import UserError
from densecap.tasks.base import CaptioningTask


class FullySharded(ModelParallelStrategy):
    """Lightning's strategy with every process, of all machines, holding a share; what is saved is one whole file."""

    def __init__(self, **options: Any) -> None:
        super().__init__(data_parallel_size=1, tensor_parallel_size=1, save_distributed_checkpoint=False, **options)

    def setup_environment(self) -> None:
        self._data_parallel_size = self.num_nodes * self.num_processes
        super().setup_environment()

    def load_checkpoint(self, checkpoint_path: Any, weights_only: bool | None = None) -> dict[str, Any]:
        """Every process takes its shares of the weights and the optimiser's state from the one whole file.

        The file may also come from a run on one device or of another strategy: the optimiser's state belongs to weights
        by their places in its groups, where Lightning's own goes by their places in the model.
        """
        from torch.distributed.checkpoint.state_dict import StateDictOptions, set_optimizer_state_dict

        path, model = self.broadcast(checkpoint_path), self.model
        assert model is not None
        content = torch.load(path, mmap=True, map_location="cpu", weights_only=weights_only)
        _load_raw_module_state(content.pop("state_dict"), model, strict=True)
        options = StateDictOptions(broadcast_from_rank0=True, full_state_dict=True)
        for optimizer, state in zip(self.optimizers, content["optimizer_states"]):
            set_optimizer_state_dict(
                model, optimizer, optim_state_dict=state_by_name(state, optimizer, model), options=options
            )
        return content


def state_by_name(state: dict[str, Any], optimizer: Optimizer, model: nn.Module) -> dict[str, Any]:
    """An optimiser's saved state with the names of weights in the place of numbers."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    own = [names[id(parameter)] for group in optimizer.param_groups for parameter in group["params"]]
    numbers = [number for group in state["param_groups"] for number in group["params"]]
    name_of = dict(zip(numbers, own, strict=True))
    groups = [{**group, "params": [name_of[number] for number in group["params"]]} for group in state["param_groups"]]
    return {"state": {name_of[number]: values for number, values in state["state"].items()}, "param_groups": groups}


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
