"""Training and validation of the captioner of whole images."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torchmetrics import MeanMetric

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
        losses = self.model(batch)
        self._log("train", losses, max(_num_tokens(batch), 1))
        return self.weights.objective(losses, self.model.decoder)

    def on_validation_epoch_start(self) -> None:
        self.bits.reset()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        count = _num_tokens(batch)
        if not count:  # images without captions
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
            batch_size=num_tokens,
            prog_bar=True,
            on_step=training,
            on_epoch=not training,
            sync_dist=not training,
        )


def _num_tokens(batch: Batch) -> int:
    return sum(count_tokens(regions.tokens) for regions in batch.regions)
