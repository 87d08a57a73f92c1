"""``trainer.sync_batchnorm``: batch normalisation that learns takes the statistics of all processes together."""

from __future__ import annotations

from collections.abc import Callable

import pytorch_lightning as pl
from pytorch_lightning.accelerators import CPUAccelerator
from torch import nn
from torch.nn.modules.batchnorm import SyncBatchNorm, _BatchNorm

from densecap.errors import UserError

#: What is said where there is nothing to share.
NOTHING_LEARNS = "trainer.sync_batchnorm=true changes nothing: no batch normalisation of this model learns statistics"


def share_batch_statistics(model: nn.Module, trainer: pl.Trainer, say: Callable[[str], None]) -> int:
    """Replace what learns statistics by ``SyncBatchNorm`` where there are several processes; gives how many.

    Backbones keep the statistics they came with, and stay as they are: torch's own conversion would also take the
    activation out of timm's layers that have one. Errors: UserError on processors, where torch has none.
    """
    learning = learning_norms(model)
    if not learning:
        say(NOTHING_LEARNS)
        return 0
    if trainer.world_size == 1:
        return 0
    if isinstance(trainer.accelerator, CPUAccelerator):
        raise UserError(
            f"trainer.sync_batchnorm=true needs GPUs, for {', '.join(learning)} would share batch statistics: choose "
            "trainer.accelerator=gpu, or leave it out"
        )
    for name in learning:
        parent, _, last = name.rpartition(".")
        own = model.get_submodule(name)
        setattr(model.get_submodule(parent), last, SyncBatchNorm.convert_sync_batchnorm(own))
    return len(learning)


def learning_norms(model: nn.Module) -> list[str]:
    """Names of the layers that update or use statistics of the batch in training; the model's mode is kept."""
    modes = {name: module.training for name, module in model.named_modules()}
    model.train()
    found = [name for name, module in model.named_modules() if isinstance(module, _BatchNorm) and module.training]
    for name, module in model.named_modules():
        module.training = modes[name]
    return found
