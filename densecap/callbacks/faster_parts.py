"""``compile=true`` and ``channels_last=true``: the same numbers in less time."""

from __future__ import annotations

import pytorch_lightning as pl
import torch

from densecap.models.compilation import compile_parts


class FasterParts(pl.Callback):
    """Compiles the model's heavy parts (``compile``), and lays its weights out as convolutions like them best
    (``channels_last``; the loader's pictures already are).

    Weights are laid out before the processes share them, and compiled when training starts, after copies for averages
    were made.
    """

    def __init__(self, compile: bool = False, channels_last: bool = False) -> None:
        self.compile, self.channels_last = compile, channels_last

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if self.channels_last and stage == "fit":
            pl_module.model.to(memory_format=torch.channels_last)

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.compile:
            compile_parts(pl_module.model)  # type: ignore[arg-type]
