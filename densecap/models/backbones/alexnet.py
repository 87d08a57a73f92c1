"""AlexNet, the first network of m-RNN: everything up to relu5, and fc7."""

from __future__ import annotations

import torch.nn.functional as F
import torchvision
from torch import Tensor, nn
from torch.nn.utils import skip_init
from torchvision.models import AlexNet_Weights

from densecap.models.backbones.base import Backbone
from densecap.models.backbones.geometry import receptive_field_level, window_layers
from densecap.models.backbones.initialization import initialize_from_scratch
from densecap.models.backbones.weights import load_weights


class AlexNet(Backbone):
    """(B, 3, H, W) -> one map (B, 256, h, w) of stride 16, its first cell centred at pixel 15.5.

    torchvision's single-column network, whose weights fit. ``weights`` is "imagenet", the path of a local file (whole
    network or features) or None; ``trainable`` fine-tunes everything above conv1. With ``classifier`` fc6 and fc7 are
    kept, and ``image_features`` is fc7 after its ReLU (4096 values), without dropout.
    """

    def __init__(
        self,
        weights: str | None = "imagenet",
        trainable: bool = False,
        normalization: str = "imagenet",
        classifier: bool | None = False,
        image_pool: str = "mean",
    ) -> None:
        super().__init__(normalization, image_pool)
        self.features = torchvision.models.alexnet(weights=None).features[:12]  # without the third pooling
        self.classifier = classifier_layers() if classifier else None
        self.out_channels = 256
        self.geometry = (receptive_field_level(window_layers(self.features)),)
        self.stem = [self.features[0]]
        if weights is None:
            initialize_from_scratch(self)
        else:
            load_weights(self, weights, AlexNet_Weights.IMAGENET1K_V1, torchvision.models.alexnet, ("classifier.",))
        self.complete(weights is not None, trainable)

    def forward(self, images: Tensor) -> tuple[Tensor]:
        return (self.features(self.normalize(images)),)

    @property
    def feature_dim(self) -> int:
        return 4096 if self.classifier is not None else self.pooled_dim(self.out_channels)

    def image_features(self, images: Tensor) -> Tensor:
        (features,) = self(images)
        if self.classifier is None:
            return self.pool_image(features)
        pooled = F.adaptive_avg_pool2d(F.max_pool2d(features, 3, 2), 6)  # (B, 256, 6, 6), only pool5 when S = 224
        return self.classifier(pooled.contiguous().flatten(1))  # (B, 4096)


def classifier_layers() -> nn.Sequential:
    """fc6 and fc7 at torchvision's places, not yet initialised, without its dropout."""
    fc6, fc7 = (skip_init(nn.Linear, width, 4096) for width in (256 * 6 * 6, 4096))
    return nn.Sequential(nn.Identity(), fc6, nn.ReLU(inplace=True), nn.Identity(), fc7, nn.ReLU(inplace=True))
