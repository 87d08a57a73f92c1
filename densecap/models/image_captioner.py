"""Captions of whole images, or of boxes cut out of them: a backbone's vector of the pixels, and a decoder."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from densecap.errors import UserError
from densecap.models.backbones.base import Backbone
from densecap.models.backbones.precomputed import Precomputed
from densecap.models.box_encoding import encode_boxes, learns
from densecap.models.conventions import conventions_of
from densecap.models.decoders.base import Decoder
from densecap.models.feature_scaling import scaling_of
from densecap.models.generation import GenerationSettings
from densecap.models.hub_model import HubModel
from densecap.models.inference import Detections, describe, scale_of, stack
from densecap.models.settings import DetectionSettings
from densecap.models.views import canonical_size, check_crop
from densecap.ops.whole_boxes import is_whole, whole_boxes
from densecap.structures import Batch, RegionPrediction
from densecap.text.vocabulary import END, Vocabulary


class ImageCaptioner(HubModel):
    """m-RNN's setting (arXiv 1412.6632): one vector of the image, computed once, and a decoder that sees it.

    A whole image is a region whose box is the image, so region crops are captioned as well. ``decoder`` is a
    constructor. An image is resized to ``image_size`` pixels on its longest side, as the data set does; each distinct
    box is cut out and made square as ``crop`` says (``densecap.models.views``), ``input_size`` pixels a side (None: as
    the backbone was trained; several: at each of these, and the mean of the features is taken). ``length_buckets``:
    the captions of a batch are decoded in so many groups of like length, which changes nothing but the time.
    ``feature_scaling`` stands between backbone and decoder (``densecap.models.feature_scaling``). With the backbone
    ``Precomputed`` images are known by their ids.
    """

    #: Whether it finds regions itself; this one describes what it is given.
    finds_boxes = False

    def __init__(
        self,
        vocabulary: Vocabulary,
        backbone: Backbone,
        decoder: Callable[..., Decoder],
        image_size: int = 720,
        input_size: int | Sequence[int] | None = None,
        crop: str = "squash",
        length_buckets: int = 1,
        feature_scaling: str = "none",
        compat: str | None = None,
    ) -> None:
        super().__init__()
        check_crop(crop)
        if length_buckets < 1:
            raise UserError(f"model.length_buckets is a whole number above 0, got {length_buckets}")
        self.vocabulary = vocabulary
        self.image_size, self.crop, self.length_buckets = image_size, crop, length_buckets
        self.input_size = canonical_size(input_size or backbone.input_size)
        self.conventions = conventions_of(compat)
        self.detection, self.generation = DetectionSettings(), GenerationSettings()
        self.backbone = backbone
        self.scaling = scaling_of(feature_scaling, backbone.feature_dim)
        self.decoder = decoder(feature_dim=backbone.feature_dim, vocabulary_size=len(vocabulary))
        if self.conventions.caffe_pixels:
            backbone.use_compat()

    @property
    def needs_pixels(self) -> bool:
        return not isinstance(self.backbone, Precomputed)

    @property
    def device(self) -> torch.device:
        return next(self.decoder.parameters()).device

    def train(self, mode: bool = True) -> ImageCaptioner:
        """As usual, except that a backbone without anything to learn stays in evaluation mode."""
        super().train(mode)
        if not learns(self.backbone):
            self.backbone.eval()
        return self

    def forward(self, batch: Batch, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """``caption``: bits a word, the mean over all words and ENDs of the batch (the paper's cost without its decay).

        ``generator`` is there because other models sample.
        """
        boxes = [regions.boxes for regions in batch.regions]
        features = self.box_features(batch.images, batch.image_sizes, boxes, batch.image_ids)
        tokens = torch.cat([regions.tokens for regions in batch.regions]).to(features.device)
        return self.word_losses(features, tokens)

    def word_losses(self, features: Tensor, tokens: Tensor) -> dict[str, Tensor]:
        """What ``forward`` gives, from features (N, F) and captions (N, T) padded with 0."""
        nats = self.caption_losses(features, tokens).sum()
        return {"caption": nats / (max(count_tokens(tokens), 1) * math.log(2))}

    def caption_losses(self, features: Tensor, tokens: Tensor) -> Tensor:
        """(N, F) and (N, T) padded with 0 -> nats (N,) of each caption, its END included."""
        if self.length_buckets == 1 or len(tokens) < 2:
            return self.decoder.loss(features, tokens)
        order = (tokens != END).sum(dim=1).argsort(stable=True)
        parts = [self.decoder.loss(features[rows], tokens[rows]) for rows in order.tensor_split(self.length_buckets)]
        losses = torch.cat(parts)
        return torch.zeros_like(losses).index_copy(0, order, losses)

    def image_features(self, images: Sequence[Tensor], ids: Sequence[str] | None = None) -> Tensor:
        """(B, F) what the decoder sees of whole (3, H, W) uint8 images of any size; by ``ids`` where features are
        precomputed."""
        return self.scaling(self.backbone_features(images, ids))

    def backbone_features(self, images: Sequence[Tensor], ids: Sequence[str] | None = None) -> Tensor:
        """(B, F) ``image_features`` before their scaling, as feature files hold them."""
        if isinstance(self.backbone, Precomputed) and ids is not None:
            return self.backbone.lookup(ids).to(self.device)
        if not images:
            return torch.zeros(0, self.backbone.feature_dim, device=self.device)
        batch, sizes = stack(self, images)
        return self._unscaled(batch, sizes, whole_boxes(sizes, batch.device), ids)

    def box_features(
        self,
        images: Tensor,
        sizes: Sequence[tuple[int, int]],
        boxes: Sequence[Tensor],
        ids: Sequence[str] | None = None,
    ) -> Tensor:
        """(N, F) what the decoder sees of all boxes, (R, 4) an image, in padded (B, 3, H, W) images of these (height,
        width).

        What is asked for twice is computed once. Errors: UserError where features are precomputed and a box is not the
        whole image, or ``ids`` are not given.
        """
        return self.scaling(self._unscaled(images, sizes, boxes, ids))

    def _unscaled(
        self, images: Tensor, sizes: Sequence[tuple[int, int]], boxes: Sequence[Tensor], ids: Sequence[str] | None
    ) -> Tensor:
        if not isinstance(self.backbone, Precomputed):
            return encode_boxes(self.backbone, images, sizes, boxes, self.input_size, self.crop)
        if ids is None:
            raise UserError("model/backbone=precomputed knows images by their ids, not by their pixels")
        owners = torch.repeat_interleave(torch.tensor([len(own) for own in boxes]))  # (N,)
        _check_whole(torch.cat(list(boxes)), owners, sizes)
        features = self.backbone.lookup(ids).to(self.device, non_blocking=True)
        return features[owners.to(self.device)]

    @torch.no_grad()
    def caption_images(
        self,
        images: Sequence[Tensor],
        detection: DetectionSettings | None = None,
        generation: GenerationSettings | None = None,
    ) -> list[list[RegionPrediction]]:
        """A caption for each (3, H, W) uint8 RGB image, as its only region: the whole image with score 1."""
        boxes = whole_boxes([(image.shape[1], image.shape[2]) for image in images])
        return self.caption_boxes(images, boxes, generation)

    @torch.no_grad()
    def caption_boxes(
        self,
        images: Sequence[Tensor],
        boxes: Sequence[Tensor],
        generation: GenerationSettings | None = None,
        ids: Sequence[str] | None = None,
    ) -> list[list[RegionPrediction]]:
        """Describe the given (R, 4) boxes, in pixels of the given images, in their order; scores are 1."""
        if not images:
            return []
        batch, sizes = stack(self, images)
        scales = [torch.tensor(scale_of(image, size), device=batch.device) for image, size in zip(images, sizes)]
        resized = [own.to(batch.device, torch.float32) * scale for own, scale in zip(boxes, scales)]
        features = self.box_features(batch, sizes, resized, ids)
        described = self.describe(images, sizes, resized, features, generation)
        return [
            [dataclasses.replace(region, box=tuple(box)) for region, box in zip(regions, own.tolist())]
            for regions, own in zip(described, boxes)
        ]

    def describe(
        self,
        images: Sequence[Tensor],
        sizes: Sequence[tuple[int, int]],
        boxes: Sequence[Tensor],
        features: Tensor,
        generation: GenerationSettings | None = None,
    ) -> list[list[RegionPrediction]]:
        """Captions for boxes (R, 4) in pixels of the resized images and their features (N, F), as in ``inference``."""
        certain = features.new_full((len(features),), math.inf)
        counts = [len(own) for own in boxes]
        found = [Detections(*part) for part in zip(boxes, certain.split(counts), features.split(counts))]
        return describe(self, images, sizes, found, generation or self.generation)


def count_tokens(tokens: Tensor) -> int:
    """Words and ENDs of captions (N, T) padded with 0."""
    return int((tokens != END).sum()) + len(tokens)


def _check_whole(boxes: Tensor, owners: Tensor, sizes: Sequence[tuple[int, int]]) -> None:
    own_sizes = torch.tensor(sizes, dtype=boxes.dtype).reshape(len(sizes), 2)[owners]
    if not is_whole(boxes, own_sizes.to(boxes.device)).all():
        raise UserError(
            "model/backbone=precomputed has features of whole images, but this data set describes regions of them: "
            "choose a backbone that sees pixels"
        )
