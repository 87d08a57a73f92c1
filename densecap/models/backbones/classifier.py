"""What AlexNet and VGG-16 share: one column of convolutions, and a classifier whose fc7 describes whole images."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import skip_init

from densecap.models.backbones.base import Backbone


class ClassifierBackbone(Backbone):
    """(B, 3, H, W) -> the one map of ``features``; of whole images fc7 after its ReLU, if the classifier is kept.

    A subclass sets ``features``, ``classifier`` (or None) and ``pool5``, the (kernel, stride) of the pooling after the
    last map and the side it leaves of an image of 224 pixels.
    """

    features: nn.Sequential
    classifier: nn.Sequential | None
    pool5: tuple[int, int, int]

    def forward(self, images: Tensor) -> tuple[Tensor]:
        return (self.features(self.normalize(images)),)

    @property
    def feature_dim(self) -> int:
        return 4096 if self.classifier is not None else self.pooled_dim(self.out_channels)

    def image_features(self, images: Tensor) -> Tensor:
        (features,) = self(images)
        if self.classifier is None:
            return self.pool_image(features)
        kernel, stride, side = self.pool5
        pooled = F.adaptive_avg_pool2d(F.max_pool2d(features, kernel, stride), side)  # only pool5 when S = 224
        return self.classifier(pooled.contiguous().flatten(1))  # (B, 4096)


def fc6_and_fc7(in_dim: int) -> tuple[nn.Module, nn.Module]:
    """Both of width 4096, not yet initialised, on the default device, which ``skip_init`` does not ask for itself."""
    device = torch.get_default_device()
    return skip_init(nn.Linear, in_dim, 4096, device=device), skip_init(nn.Linear, 4096, 4096, device=device)
