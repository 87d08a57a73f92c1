"""AlexNet, the first network of m-RNN: everything up to relu5, and fc7."""

from __future__ import annotations

import torchvision
from torch import nn
from torchvision.models import AlexNet_Weights

from densecap.models.backbones.classifier import ClassifierBackbone, fc6_and_fc7
from densecap.models.backbones.geometry import receptive_field_level, window_layers
from densecap.models.backbones.initialization import initialize_from_scratch
from densecap.models.backbones.weights import load_weights


class AlexNet(ClassifierBackbone):
    """(B, 3, H, W) -> one map (B, 256, h, w) of stride 16, its first cell centred at pixel 15.5.

    torchvision's single-column network, whose weights fit. ``weights`` is "imagenet", the path of a local file (whole
    network or features) or None; ``trainable`` fine-tunes everything above conv1. With ``classifier`` fc6 and fc7 are
    kept, and ``image_features`` is fc7 after its ReLU (4096 values), without dropout.
    """

    pool5 = (3, 2, 6)

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


def classifier_layers() -> nn.Sequential:
    """fc6 and fc7 at torchvision's places, not yet initialised, without its dropout."""
    fc6, fc7 = fc6_and_fc7(256 * 6 * 6)
    return nn.Sequential(nn.Identity(), fc6, nn.ReLU(inplace=True), nn.Identity(), fc7, nn.ReLU(inplace=True))
