"""What all training tasks share: optimiser, schedule, and checkpoints that resume exactly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytorch_lightning as pl
import torch

from densecap import checkpoint
from densecap.data.loader import ResumableLoader
from densecap.distributed import gather
from densecap.models.captioner import Captioner
from densecap.models.idle_parameters import freeze_idle_parameters
from densecap.structures import Batch
from densecap.tasks.state_layout import lay_out_like_weights


class CaptioningTask(pl.LightningModule):
    """Base of the tasks; a subclass has the training and the validation step.

    ``optimizer`` and ``scheduler`` are constructors; the backbone's learning rate is ``backbone_lr_ratio`` times that
    of the rest. ``config`` is the resolved plain config, stored in every checkpoint.
    """

    def __init__(
        self,
        model: Captioner,
        optimizer: Callable[..., torch.optim.Optimizer],
        scheduler: Callable[..., Any],
        backbone_lr_ratio: float = 1.0,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.model: Captioner = model
        self.backbone_lr_ratio = backbone_lr_ratio
        self.config = dict(config or {})
        self._build_optimizer, self._build_scheduler = optimizer, scheduler
        self._random_state: dict[str, Any] | None = None
        self._loader_states: list[dict[str, Any]] = []

    def setup(self, stage: str) -> None:
        """Several processes wait for the gradient of everything that learns, so what is never run must not."""
        if stage == "fit" and self.trainer.world_size > 1:
            freeze_idle_parameters(self.model)

    def configure_optimizers(self) -> Any:
        backbone = {id(parameter) for parameter in self.model.backbone.parameters()}
        stem = {id(parameter) for part in self.model.backbone.stem for parameter in part.parameters()}
        rest = [p for p in self.model.parameters() if id(p) not in backbone]
        body = [p for p in self.model.backbone.parameters() if id(p) not in stem]
        optimizer = self._build_optimizer([{"params": rest}])
        if body:
            rate = optimizer.param_groups[0]["lr"] * self.backbone_lr_ratio
            optimizer.add_param_group({"params": body, "lr": rate})
        scheduler = self._build_scheduler(optimizer, total_steps=self.trainer.estimated_stepping_batches)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def unrepeated(self, batch: Batch, batch_idx: int) -> tuple[Batch, int]:
        """A validation batch without the images that only fill up the share of a process, and how many are left.

        One of nothing else stays as it is, and counts 0: all processes go through as many batches.
        """
        loader = self.trainer.val_dataloaders
        if not isinstance(loader, ResumableLoader):
            return batch, len(batch)
        count = loader.num_new(batch_idx, len(batch))
        return (batch.first(count) if 0 < count < len(batch) else batch), count

    def on_save_checkpoint(self, content: dict[str, Any]) -> None:
        content["densecap"] = checkpoint.card(self.config, self.model)
        state: dict[str, Any] = {"cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            state["cuda"] = torch.cuda.get_rng_state(self.device)
        content["random_state"] = gather(state)

    def on_load_checkpoint(self, content: dict[str, Any]) -> None:
        states = content.get("random_state") or []
        states = [states] if isinstance(states, dict) else states  # of files that knew one process only
        rank = self.trainer.global_rank if self._trainer is not None else 0
        self._random_state = states[rank] if rank < len(states) else None
        loops = content.get("loops", {}).get("fit_loop", {}).get("state_dict", {})
        self._loader_states = list(loops.get("combined_loader", []))

    def on_train_start(self) -> None:
        """After a resume, go on with the images and the random numbers the interrupted run would have drawn.

        Lightning asks for the loader before it reads the checkpoint when the schedule wants to know the number of
        steps, and then does not tell the loader where it was.
        """
        for loader, state in zip([self.trainer.train_dataloader], self._loader_states):
            if loader is not None and hasattr(loader, "load_state_dict"):
                loader.load_state_dict(state)
        self._loader_states = []
        for optimizer in self.trainer.optimizers:
            lay_out_like_weights(optimizer)
        if self._random_state is None:
            return
        torch.set_rng_state(self._random_state["cpu"].cpu())
        if self.device.type == "cuda" and "cuda" in self._random_state:
            torch.cuda.set_rng_state(self._random_state["cuda"].cpu(), self.device)
        self._random_state = None
