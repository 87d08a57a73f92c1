"""ResNet-50, as one map of stride 16 or as a feature pyramid of four."""

from __future__ import annotations

import torch.nn.functional as F
import torchvision
from torch import Tensor, nn
from torchvision.models import ResNet50_Weights
from torchvision.ops import FeaturePyramidNetwork

from densecap.models.backbones.base import Backbone
from densecap.models.backbones.folding import fold_batch_norms
from densecap.models.backbones.geometry import receptive_field_level, window_layers
from densecap.models.backbones.initialization import initialize_from_scratch
from densecap.models.backbones.weights import load_weights
from densecap.ops.anchors import Level


class ResNet50(Backbone):
    """(B, 3, H, W) -> one map (B, 1024, h, w) of stride 16: the output of layer3 ("C4").

    ``weights`` is "imagenet" (torchvision's V1, which its detectors use too), the path of a local file or None;
    ``trainable`` fine-tunes everything above layer1. With ``classifier`` layer4 is kept, and ``image_features`` pools
    it (2048 values).
    """

    def __init__(
        self,
        weights: str | None = "imagenet",
        trainable: bool = True,
        normalization: str = "imagenet",
        classifier: bool | None = False,
        image_pool: str = "mean",
    ) -> None:
        super().__init__(normalization, image_pool)
        trunk = load_trunk(weights)
        self.stages = nn.ModuleList(trunk[: 5 if classifier else 4])
        self.out_channels = 1024
        self.has_classifier = bool(classifier)
        self.geometry = (receptive_field_level(window_layers(*self.stages[:4])),)
        self.stem = list(self.stages[:2])
        self.complete(weights is not None, trainable)

    def forward(self, images: Tensor) -> tuple[Tensor]:
        return (self._stage3(images),)

    @property
    def feature_dim(self) -> int:
        return self.pooled_dim(2048 if self.has_classifier else self.out_channels)

    def image_features(self, images: Tensor) -> Tensor:
        features = self._stage3(images)
        if self.has_classifier:
            features = self.stages[4](features)
        return self.pool_image(features)

    def _stage3(self, images: Tensor) -> Tensor:
        features = self.normalize(images)
        for stage in self.stages[:4]:
            features = stage(features)
        return features


class ResNet50FPN(Backbone):
    """(B, 3, H, W) -> four maps (B, channels, h, w) of strides 4, 8, 16 and 32: torchvision's feature pyramid P2 to P5.

    ``weights`` and ``trainable`` as for ``ResNet50``; the pyramid itself has no published weights and is always
    trained. ``image_features`` pools layer4 (2048 values). As torchvision's ``detector`` has it there is a fifth map,
    every other cell of the fourth, the first cells look at pixel 0, and sides are filled up to multiples of 32.
    """

    def __init__(
        self,
        weights: str | None = "imagenet",
        trainable: bool = True,
        normalization: str = "imagenet",
        channels: int = 256,
        image_pool: str = "mean",
        detector: bool = False,
    ) -> None:
        super().__init__(normalization, image_pool)
        self.detector = detector
        self.stages = nn.ModuleList(load_trunk(weights))
        self.pyramid = FeaturePyramidNetwork([256, 512, 1024, 2048], channels)
        self.out_channels = channels
        self.geometry = tuple(receptive_field_level(window_layers(*self.stages[: last + 1])) for last in range(1, 5))
        if detector:
            self.geometry = tuple(Level(stride, 0.0) for stride in (4, 8, 16, 32, 64))
        self.stem = list(self.stages[:2])
        self.new_parts = [self.pyramid]
        self.complete(weights is not None, trainable)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        maps = self._bottom_up(images)
        found = tuple(self.pyramid({str(index): map_ for index, map_ in enumerate(maps)}).values())
        return (*found, F.max_pool2d(found[-1], 1, 2)) if self.detector else found

    @property
    def feature_dim(self) -> int:
        return self.pooled_dim(2048)

    def image_features(self, images: Tensor) -> Tensor:
        return self.pool_image(self._bottom_up(images)[-1])

    def _bottom_up(self, images: Tensor) -> list[Tensor]:
        pixels = self.normalize(images)
        if self.detector:
            pixels = F.pad(pixels, (0, -pixels.shape[3] % 32, 0, -pixels.shape[2] % 32))
        features = self.stages[0](pixels)
        maps = []
        for stage in self.stages[1:]:
            features = stage(features)
            maps.append(features)
        return maps


def load_trunk(weights: str | None) -> list[nn.Module]:
    """[conv1 to pool, layer1, layer2, layer3, layer4] with the weights loaded and batch normalisation folded."""
    network = torchvision.models.resnet50(weights=None)
    network.fc = nn.Identity()
    if weights is None:
        initialize_from_scratch(network)
    else:
        load_weights(network, weights, ResNet50_Weights.IMAGENET1K_V1, torchvision.models.resnet50, ("fc.",))
    fold_batch_norms(network)
    first = nn.Sequential(network.conv1, network.relu, network.maxpool)
    return [first, network.layer1, network.layer2, network.layer3, network.layer4]
