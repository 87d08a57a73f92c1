"""Self-critical training of whole-image captioners: captions are drawn, and those better than the others encouraged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from densecap.data.hdf5 import RegionFile
from densecap.errors import UserError
from densecap.models.generation import GenerationSettings, generate
from densecap.models.image_captioner import count_tokens
from densecap.models.losses import ImageLossWeights
from densecap.structures import Batch
from densecap.tasks.image_captioning import ImageCaptioningTask, touch
from densecap.tasks.rewards import CiderReward, advantages, spelled, training_frequencies


class SelfCriticalTask(ImageCaptioningTask):
    """Policy gradient on CIDEr-D (Rennie et al., CVPR 2017), for a model that was trained on words before (``init``).

    For each image ``num_samples`` captions are drawn word by word. The loss is the mean over their words of -(r - b)
    log p(word), where r is the CIDEr-D of the caption against the references and b the mean of the image's other
    draws, for which the decoder's dropout is off. ``cross_entropy`` times the usual cost, bits a word and decay as
    ``weights`` say, is added, which keeps the model a fair judge of sentences. Frequencies of n-grams are those of the
    training captions.

    Logged besides the figures of ``ImageCaptioningTask``: train/reward, the mean CIDEr-D of what was drawn. Choose the
    best checkpoint by val/CIDEr, for bits a word only rise. Errors: UserError for fewer than two samples, and without a
    data module.
    """

    def __init__(
        self,
        model: Any,
        optimizer: Callable[..., torch.optim.Optimizer],
        scheduler: Callable[..., Any],
        weights: ImageLossWeights | None = None,
        backbone_lr_ratio: float = 1.0,
        num_samples: int = 5,
        max_length: int = 20,
        cross_entropy: float = 0.0,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(model, optimizer, scheduler, weights, backbone_lr_ratio, config)
        if not isinstance(num_samples, int) or num_samples < 2:
            raise UserError(f"task.num_samples is a whole number above 1, got {num_samples}")
        self.cross_entropy = cross_entropy
        self.drawing = GenerationSettings(temperature=1.0, num_captions=num_samples, max_length=max_length)
        self.reward: CiderReward | None = None

    def on_fit_start(self) -> None:
        source = getattr(self.trainer, "datamodule", None)
        if source is None:
            raise UserError("task=self_critical needs the captions of a data module, which the trainer was not given")
        self.reward = CiderReward(training_frequencies(RegionFile(source.file)))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        features, owners, tokens = self._captioned(batch)
        if not len(features):  # images without captions
            return 0.0 * touch(self.model)
        self.model.decoder.eval()
        drawn, rewards = self._draw(features, owners, tokens)
        each = features.repeat_interleave(self.drawing.num_captions, dim=0)
        costs = self.model.caption_losses(each, drawn)  # -log p of each caption
        gain = advantages(rewards).flatten().to(costs.device)
        loss = (gain * costs).sum() / max(count_tokens(drawn), 1)
        self.log("train/reward", rewards.mean(), batch_size=len(rewards), prog_bar=True)
        if not self.cross_entropy:
            return loss
        self.model.decoder.train()
        losses = self.model.word_losses(features[owners], tokens)
        self._log("train", losses, max(count_tokens(tokens), 1))
        return loss + self.cross_entropy * self.weights.objective(losses, self.model.decoder)

    def _captioned(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Features (B, F) of distinct images that have captions; tokens (N, T) of these and whose each is (N,)."""
        boxes = [regions.boxes for regions in batch.regions]
        features = self.model.box_features(batch.images, batch.image_sizes, boxes, batch.image_ids)
        tokens = torch.cat([regions.tokens for regions in batch.regions]).to(features.device)
        firsts, owners = first_of_each(boxes)
        return features[firsts.to(features.device)], owners.to(features.device), tokens

    @torch.no_grad()
    def _draw(self, features: Tensor, owners: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (B * K, L) of captions drawn for features (B, F), and their rewards (B, K)."""
        assert self.reward is not None
        drawn = generate(self.model.decoder, features, self.drawing, self.model.vocabulary).tokens
        known: list[list[str]] = [[] for _ in features]
        for owner, text in zip(owners.tolist(), spelled(tokens)):
            known[owner].append(text)
        count = self.drawing.num_captions
        references = [own for own in known for _ in range(count)]
        return drawn, self.reward(spelled(drawn, ended=False), references).view(len(features), count)


def first_of_each(boxes: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """(R, 4) boxes of each image -> rows of all boxes where one stands for the first time (M,), and which of these
    each box equals (N,)."""
    firsts: list[int] = []
    owners: list[int] = []
    places: dict[tuple[int, ...], int] = {}
    for image, own in enumerate(boxes):
        for box in own.tolist():
            place = places.setdefault((image, *box), len(places))
            if place == len(firsts):
                firsts.append(len(owners))
            owners.append(place)
    return torch.tensor(firsts, dtype=torch.int64), torch.tensor(owners, dtype=torch.int64)
