"""Training and validation of the captioner of whole images."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torchmetrics import MeanMetric

from densecap.distributed import mean_over_processes, sum_over_processes, world_size
from densecap.models.image_captioner import ImageCaptioner, count_tokens
from densecap.models.losses import ImageLossWeights
from densecap.structures import Batch
from densecap.tasks.base import CaptioningTask


class ImageCaptioningTask(CaptioningTask):
    """The cost of m-RNN: bits a word, ENDs counted, plus the decay of the decoder's parameters.

    Logged are train/loss_caption, train/loss (equal unless ``weights.caption`` is changed; the decay is optimised but
    not reported), val/loss_caption and val/loss, both means over all words of the split, and val/perplexity, 2 to the
    power of val/loss_caption.
    """

    model: ImageCaptioner

    def __init__(
        self,
        model: ImageCaptioner,
        optimizer: Callable[..., torch.optim.Optimizer],
        scheduler: Callable[..., Any],
        weights: ImageLossWeights | None = None,
        backbone_lr_ratio: float = 1.0,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(model, optimizer, scheduler, backbone_lr_ratio, config)
        self.weights = weights or ImageLossWeights()
        self.bits = MeanMetric()  # a word, in validation

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        count = _num_tokens(batch)
        share = share_of_words(count, self.device)
        losses = {name: value * share for name, value in self.model(batch).items()}
        self._log("train", mean_over_processes(losses), max(count, 1))
        objective = self.weights.objective(losses, self.model.decoder)
        return objective if count else objective + 0.0 * touch(self.model)

    def on_validation_epoch_start(self) -> None:
        self.bits.reset()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        batch, images = self.unrepeated(batch, batch_idx)
        count = _num_tokens(batch) if images else 0
        if not count and self.trainer.world_size == 1:  # images without captions
            return
        losses = self.model(batch)
        self.bits.update(losses["caption"], count)
        self._log("val", losses, count)

    def on_validation_epoch_end(self) -> None:
        if self.bits.update_called or self.trainer.world_size > 1:  # all processes ask, or none
            self.log("val/perplexity", torch.exp2(self.bits.compute().clamp(max=math.log2(1e30))), prog_bar=True)

    def _log(self, stage: str, losses: Mapping[str, Tensor], num_tokens: int) -> None:
        """``num_tokens`` are the weight of this batch in means over an epoch."""
        training = stage == "train"
        values = {f"{stage}/loss_{name}": value.detach() for name, value in losses.items()}
        values[f"{stage}/loss"] = self.weights.total(losses).detach()
        self.log_dict(
            values,
            batch_size=float(num_tokens),  # type: ignore[arg-type]  # Lightning cuts off the mean of whole ones
            prog_bar=True,
            on_step=training,
            on_epoch=not training,
            sync_dist=not training,
        )


def _num_tokens(batch: Batch) -> int:
    return sum(count_tokens(regions.tokens) for regions in batch.regions)


def share_of_words(count: int, device: torch.device) -> Tensor | float:
    """The factor that turns the mean over this process's ``count`` words into its part of the mean over all.

    Gradients and figures are averaged over processes, each of which has as many images but not as many words.
    """
    processes = world_size()
    if processes == 1:
        return 1.0
    total = sum_over_processes(torch.tensor(float(count), device=device))
    return count * processes / total.clamp(min=1.0)


def touch(model: torch.nn.Module) -> Tensor:
    """A number with a gradient for everything that learns, for which the other processes wait."""
    return torch.stack([item.sum() for item in model.parameters() if item.requires_grad]).sum()
