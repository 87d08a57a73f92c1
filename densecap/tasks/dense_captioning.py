"""Training and validation of the dense captioner."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from densecap import checkpoint
from densecap.models.dense_captioner import DenseCaptioner
from densecap.models.losses import LossWeights
from densecap.structures import Batch

#: Seed of the region sampling in validation, so that epochs are compared on the same regions.
VALIDATION_SEED = 20160


class DenseCaptioningTask(pl.LightningModule):
    """One optimisation step, one validation step, and what goes into a checkpoint.

    ``optimizer`` and ``scheduler`` are constructors; the backbone's learning rate is ``backbone_lr_ratio`` times that
    of the rest. ``config`` is the resolved plain config, stored in every checkpoint.
    """

    def __init__(
        self,
        model: DenseCaptioner,
        optimizer: Callable[..., torch.optim.Optimizer],
        scheduler: Callable[..., Any],
        weights: LossWeights | None = None,
        backbone_lr_ratio: float = 1.0,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.weights = weights or LossWeights()
        if self.weights.words:
            model.learn_words()
        self.backbone_lr_ratio = backbone_lr_ratio
        self.config = dict(config or {})
        self._build_optimizer, self._build_scheduler = optimizer, scheduler
        self._random_state: dict[str, Any] | None = None

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        losses = self.model(batch)
        self._log("train", losses, len(batch))
        return self.weights.objective(losses)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        generator = torch.Generator().manual_seed(VALIDATION_SEED + batch_idx)
        self._log("val", self.model(batch, generator), len(batch))

    def _log(self, stage: str, losses: Mapping[str, Tensor], size: int) -> None:
        training = stage == "train"
        values = {f"{stage}/loss_{name}": value.detach() for name, value in losses.items() if name != "box_decay"}
        values[f"{stage}/loss"] = self.weights.total(losses).detach()
        self.log_dict(
            values, batch_size=size, prog_bar=True, on_step=training, on_epoch=not training, sync_dist=not training
        )

    def configure_optimizers(self) -> Any:
        backbone = {id(parameter) for parameter in self.model.backbone.parameters()}
        stem = {id(parameter) for part in self.model.backbone.stem for parameter in part.parameters()}
        rest = [p for p in self.model.parameters() if id(p) not in backbone]
        body = [p for p in self.model.backbone.parameters() if id(p) not in stem]
        optimizer = self._build_optimizer([{"params": rest}])
        if body:
            rate = optimizer.param_groups[0]["lr"] * self.backbone_lr_ratio
            optimizer.add_param_group({"params": body, "lr": rate})
        steps = int(self.trainer.estimated_stepping_batches)
        scheduler = self._build_scheduler(optimizer, total_steps=steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def on_save_checkpoint(self, content: dict[str, Any]) -> None:
        content["densecap"] = checkpoint.card(self.config, self.model.vocabulary)
        state: dict[str, Any] = {"cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            state["cuda"] = torch.cuda.get_rng_state(self.device)
        content["random_state"] = state

    def on_load_checkpoint(self, content: dict[str, Any]) -> None:
        self._random_state = content.get("random_state")

    def on_train_start(self) -> None:
        """After a resume, go on with the random numbers the interrupted run would have drawn."""
        if self._random_state is None:
            return
        torch.set_rng_state(self._random_state["cpu"].cpu())
        if self.device.type == "cuda" and "cuda" in self._random_state:
            torch.cuda.set_rng_state(self._random_state["cuda"].cpu(), self.device)
        self._random_state = None
