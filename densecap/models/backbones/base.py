"""What every backbone promises, and the preprocessing they share."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from densecap.errors import UserError
from densecap.models.views import InputSize
from densecap.ops.anchors import Level

#: Name -> (channels reversed to BGR, mean, standard deviation), for images in 0..255 in that channel order.
NORMALIZATIONS: dict[str, tuple[bool, tuple[float, ...], tuple[float, ...]]] = {
    "imagenet": (False, (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    "caffe_bgr": (True, (103.939, 116.779, 123.68), (1.0, 1.0, 1.0)),
    "inception": (False, (127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),
}

#: How a map becomes a vector: its mean, or its mean followed by its maximum.
IMAGE_POOLS = ("mean", "mean_max")


class Backbone(nn.Module):
    """A convolutional network that turns raw images into feature maps, and whole images into vectors.

    Contract: ``forward`` (B, 3, H, W) RGB in 0..255, uint8 or float, not normalised -> a tuple of maps
    (B, out_channels, h, w), one for each ``Level`` of ``geometry``, finest first. ``image_features`` (B, 3, S, S) ->
    (B, feature_dim). A subclass sets ``out_channels`` and ``geometry``, builds its layers and calls ``complete``.

    ``stem`` lists parts that are never trained when the weights are pretrained, ``new_parts`` those that have no
    published weights and are therefore always trained. Batch statistics are never updated: batches are far too small.
    ``image_pool`` is one of ``IMAGE_POOLS``, for ``image_features`` that are pooled from a map.
    """

    out_channels: int
    geometry: tuple[Level, ...]
    #: S, the side in pixels of the square pictures that ``image_features`` was trained on.
    input_size: InputSize = 224
    _scale: Tensor
    _shift: Tensor

    def __init__(self, normalization: str = "imagenet", image_pool: str = "mean") -> None:
        super().__init__()
        if image_pool not in IMAGE_POOLS:
            known = " or ".join(IMAGE_POOLS)
            raise UserError(f"model.backbone.image_pool={image_pool} is not known: it must be {known}")
        self.image_pool = image_pool
        self.pretrained = False
        self.trainable = True
        self.stem: list[nn.Module] = []
        self.new_parts: list[nn.Module] = []
        self.register_buffer("_scale", torch.ones(1, 3, 1, 1), persistent=False)
        self.register_buffer("_shift", torch.zeros(1, 3, 1, 1), persistent=False)
        self.set_normalization(normalization)

    def complete(self, pretrained: bool, trainable: bool) -> None:
        """Last line of a subclass's constructor: memory layout, frozen parts, batch statistics."""
        self.to(memory_format=torch.channels_last)  # up to 3x faster on CPUs
        self.pretrained = pretrained
        self.set_trainable(trainable)
        self.train(self.training)

    def set_normalization(self, name: str) -> None:
        """Choose what ``normalize`` does. Errors: UserError for a name that is not in ``NORMALIZATIONS``."""
        if name not in NORMALIZATIONS:
            known = " or ".join(NORMALIZATIONS)
            raise UserError(f"model.backbone.normalization={name} is not known: it must be {known}")
        self.reverse_channels, mean, std = NORMALIZATIONS[name]
        self.set_mean_and_std(mean, std)

    def set_mean_and_std(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        """Mean and standard deviation of each channel, for values in 0..255."""
        scale = 1 / torch.tensor(std, dtype=torch.float64)
        shift = -torch.tensor(mean, dtype=torch.float64) * scale
        self._scale = scale.view(1, 3, 1, 1).to(self._scale)
        self._shift = shift.view(1, 3, 1, 1).to(self._shift)

    def use_compat(self) -> None:
        """Images as the 2016 code feeds them: BGR in 0..255 minus the mean pixel."""
        self.set_normalization("caffe_bgr")

    def normalize(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in 0..255, uint8 or float -> the values the weights expect, channels last in memory."""
        images = images.to(dtype=self._scale.dtype, memory_format=torch.channels_last)
        if self.reverse_channels:
            images = images.flip(1)
        return torch.addcmul(self._shift, images, self._scale)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        raise NotImplementedError

    @property
    def feature_dim(self) -> int:
        """F, the width of ``image_features``."""
        return self.pooled_dim(self.out_channels)

    def image_features(self, images: Tensor) -> Tensor:
        """(B, 3, S, S) RGB in 0..255 -> (B, feature_dim): the coarsest map, pooled."""
        return self.pool_image(self(images)[-1])

    def pool_image(self, features: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C) or, for mean_max, (B, 2 C): what ``image_pool`` says."""
        mean = features.mean(dim=(2, 3))
        return mean if self.image_pool == "mean" else torch.cat((mean, features.amax(dim=(2, 3))), dim=1)

    def pooled_dim(self, channels: int) -> int:
        """The width of what ``pool_image`` makes of a map of so many channels."""
        return channels if self.image_pool == "mean" else 2 * channels

    def recognition_weights(self) -> dict[str, Tensor] | None:
        """Pretrained fc6 and fc7 (keys fc6.weight, fc6.bias, fc7.weight, fc7.bias), or None without any."""
        return None

    def set_trainable(self, trainable: bool) -> None:
        """Switch the gradients of everything but ``new_parts`` (always on) and a pretrained ``stem`` (always off)."""
        self.trainable = trainable
        self.requires_grad_(trainable)
        for part in self.new_parts:
            part.requires_grad_(True)
        if self.pretrained:
            for part in self.stem:
                part.requires_grad_(False)

    def mark_pretrained(self) -> None:
        """Freeze the stem, as for pretrained weights; for a backbone built empty and filled from a checkpoint."""
        self.pretrained = True
        self.set_trainable(self.trainable)

    def train(self, mode: bool = True) -> Backbone:
        """As usual, except that batch normalisation stays in evaluation mode."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, _BatchNorm):
                module.eval()
        return self
