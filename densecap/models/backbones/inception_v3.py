"""Inception-v3, the network of TF-mRNN: everything up to Mixed_6e, and pool3."""

from __future__ import annotations

import torchvision
from torch import Tensor, nn
from torchvision.models import Inception_V3_Weights
from torchvision.models.inception import Inception3

from densecap.models.backbones.base import Backbone
from densecap.models.backbones.folding import fold_batch_norms
from densecap.models.backbones.initialization import initialize_from_scratch
from densecap.models.backbones.weights import load_weights
from densecap.ops.anchors import Level

#: torchvision's names of the layers in order: those before the second pooling, those up to Mixed_6e, and the rest.
STEM = ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "maxpool1", "Conv2d_3b_1x1", "Conv2d_4a_3x3", "maxpool2")
MIDDLE = tuple(f"Mixed_{name}" for name in ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e"))
LAST = ("Mixed_7a", "Mixed_7b", "Mixed_7c")


class InceptionV3(Backbone):
    """(B, 3, H, W) -> one map (B, 768, h, w) of stride 16, its first cell centred at pixel 21.5: little is padded.

    ``weights`` is "imagenet" (torchvision's, converted from TensorFlow), the path of a local file or None;
    ``trainable`` fine-tunes everything above the second pooling. With ``classifier`` Mixed_7a to 7c are kept, and
    ``image_features`` pools them (2048 values, TensorFlow's pool_3). Pictures are 299 pixels a side, in -1..1.
    """

    input_size = 299

    def __init__(
        self,
        weights: str | None = "imagenet",
        trainable: bool = False,
        normalization: str = "inception",
        classifier: bool | None = False,
        image_pool: str = "mean",
    ) -> None:
        super().__init__(normalization, image_pool)
        network = Inception3(aux_logits=False, init_weights=False)
        network.fc = nn.Identity()
        if weights is None:
            initialize_from_scratch(network)
        else:
            load_weights(network, weights, Inception_V3_Weights.IMAGENET1K_V1, inception_v3, ("fc.", "AuxLogits."))
        fold_batch_norms(network)
        names = [*STEM, *MIDDLE, *(LAST if classifier else ())]
        self.layers = nn.ModuleDict({name: getattr(network, name) for name in names})
        self.has_classifier = bool(classifier)
        self.out_channels = 768
        # 3x3 kernels without padding at 1a, 2a, the first pooling, 4a, the second pooling and 6a move the centre by
        # 1, 2, 2, 4, 4 and 8 pixels; all others are centred.
        self.geometry = (Level(16, 21.5),)
        self.stem = [self.layers[name] for name in STEM]
        self.complete(weights is not None, trainable)

    def forward(self, images: Tensor) -> tuple[Tensor]:
        features = self.normalize(images)
        for name in (*STEM, *MIDDLE):
            features = self.layers[name](features)
        return (features,)

    @property
    def feature_dim(self) -> int:
        return self.pooled_dim(2048 if self.has_classifier else self.out_channels)

    def image_features(self, images: Tensor) -> Tensor:
        (features,) = self(images)
        for name in LAST if self.has_classifier else ():
            features = self.layers[name](features)
        return self.pool_image(features)


def inception_v3(weights: None) -> nn.Module:
    """torchvision's network as it was published, to compare the names and shapes of a file with."""
    return torchvision.models.inception_v3(weights=weights, init_weights=False)
