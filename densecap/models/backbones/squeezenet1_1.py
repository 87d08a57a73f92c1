"""SqueezeNet 1.1, the smallest backbone with published weights."""

from __future__ import annotations

import torchvision
from torch import Tensor, nn
from torchvision.models import SqueezeNet1_1_Weights

from densecap.models.backbones.base import Backbone
from densecap.models.backbones.geometry import receptive_field_level, window_layers
from densecap.models.backbones.initialization import initialize_from_scratch
from densecap.models.backbones.weights import load_weights


class SqueezeNet1_1(Backbone):
    """(B, 3, H, W) -> one map (B, 512, h, w) of stride 16, its first cell centred at pixel 15.5: nothing is padded.

    ``weights`` is "imagenet", the path of a local file (whole network or features) or None; ``trainable`` fine-tunes
    everything after the first convolution. ``image_features`` pools the map (512 values).
    """

    def __init__(
        self,
        weights: str | None = "imagenet",
        trainable: bool = True,
        normalization: str = "imagenet",
        image_pool: str = "mean",
    ) -> None:
        super().__init__(normalization, image_pool)
        network = torchvision.models.squeezenet1_1(weights=None)
        network.classifier = nn.Identity()
        if weights is None:
            initialize_from_scratch(network.features)
        else:
            published = SqueezeNet1_1_Weights.IMAGENET1K_V1
            load_weights(network, weights, published, torchvision.models.squeezenet1_1, ("classifier.",))
        self.features = network.features
        self.out_channels = 512
        self.geometry = (receptive_field_level(window_layers(self.features)),)
        self.stem = [self.features[0]]
        self.complete(weights is not None, trainable)

    def forward(self, images: Tensor) -> tuple[Tensor]:
        return (self.features(self.normalize(images)),)
