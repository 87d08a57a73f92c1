"""VGG-16 as DenseCap cuts it: everything up to relu5_3, with ceil-mode pooling."""

from __future__ import annotations

import torchvision
from torch import Tensor, nn
from torchvision.models import VGG16_Weights

from densecap.models.backbones.classifier import ClassifierBackbone, fc6_and_fc7
from densecap.models.backbones.geometry import receptive_field_level, window_layers
from densecap.models.backbones.initialization import initialize_from_scratch
from densecap.models.backbones.weights import check_finite, load_weights, name_features, read_state

#: Channels of the thirteen convolutions, None for a pooling; the fifth pooling is left out.
CONFIGURATION = (64, 64, None, 128, 128, None, 256, 256, 256, None, 512, 512, 512, None, 512, 512, 512)

#: Layers of ``features`` up to pool2, never trained by DenseCap (260,160 parameters).
STEM_LAYERS = 10


class VGG16(ClassifierBackbone):
    """(B, 3, H, W) -> one map (B, 512, h, w) of stride 16, h and w being H and W halved four times, rounded up.

    Parameters are named as in torchvision, so its weights and those converted from Caffe fit. ``weights`` is
    "imagenet", the path of a local file (the whole network or its features alone) or None; ``trainable`` fine-tunes
    conv3_1 to conv5_3. With ``classifier`` fc6 and fc7 are kept, and ``image_features`` is fc7 after its ReLU.
    """

    pool5 = (2, 2, 7)

    def __init__(
        self,
        weights: str | None = "imagenet",
        trainable: bool = False,
        normalization: str = "imagenet",
        classifier: bool | None = False,
        image_pool: str = "mean",
    ) -> None:
        super().__init__(normalization, image_pool)
        self.weights = weights
        self.features = feature_layers()
        self.classifier = classifier_layers() if classifier else None
        self.out_channels = 512
        self.geometry = (receptive_field_level(window_layers(self.features)),)
        self.stem = list(self.features[:STEM_LAYERS])
        if weights is None:
            initialize_from_scratch(self)
        else:
            load_weights(self, weights, VGG16_Weights.IMAGENET1K_V1, torchvision.models.vgg16, ("classifier.",))
        self.complete(weights is not None, trainable)

    def recognition_weights(self) -> dict[str, Tensor] | None:
        """fc6 (4096, 512 * 7 * 7, channels first) and fc7 (4096, 4096) of the pretrained classifier.

        Read again from the file they came from, so that half a gigabyte is not held for one use. None for random
        weights and for a file of the features alone. Errors: UserError for values that are not numbers.
        """
        if self.weights is None:
            return None
        state = name_features(read_state(self.weights, VGG16_Weights.IMAGENET1K_V1), self.state_dict())
        sources = {"fc6": "classifier.0", "fc7": "classifier.3"}
        kinds = ("weight", "bias")
        names = {f"{ours}.{kind}": f"{theirs}.{kind}" for ours, theirs in sources.items() for kind in kinds}
        if not all(theirs in state for theirs in names.values()):
            return None
        check_finite(state, names.values(), self.weights)
        return {ours: state[theirs] for ours, theirs in names.items()}


def feature_layers() -> nn.Sequential:
    """conv1_1 to relu5_3: 3x3 convolutions with padding 1, ReLU in place, 2x2 poolings that round up."""
    layers: list[nn.Module] = []
    channels = 3
    for width in CONFIGURATION:
        if width is None:
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
        else:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
            channels = width
    return nn.Sequential(*layers)


def classifier_layers() -> nn.Sequential:
    """fc6 and fc7 at torchvision's places, not yet initialised, without its dropout: the features are wanted whole."""
    fc6, fc7 = fc6_and_fc7(512 * 7 * 7)  # 120 million values
    return nn.Sequential(fc6, nn.ReLU(inplace=True), nn.Identity(), fc7, nn.ReLU(inplace=True))
