"""MobileNet-V2, light enough for a CPU."""

from __future__ import annotations

import torchvision
from torch import Tensor, nn
from torchvision.models import MobileNet_V2_Weights

from densecap.errors import UserError
from densecap.models.backbones.base import Backbone
from densecap.models.backbones.folding import fold_batch_norms
from densecap.models.backbones.geometry import receptive_field_level, window_layers
from densecap.models.backbones.initialization import initialize_from_scratch
from densecap.models.backbones.weights import load_weights

#: The first block of stride 32, and the last block of all; block 18 is the 1x1 convolution to 1280 channels.
FIRST_STRIDE_32_BLOCK, LAST_BLOCK = 14, 18


class MobileNetV2(Backbone):
    """(B, 3, H, W) -> one map (B, C, h, w) of stride 16 or 32.

    ``last_block`` says where the map is taken (13: C = 96, the last block of stride 16; 17: C = 320; 18: C = 1280).
    With ``stride`` 16 the blocks from 14 on look at the finer grid through dilated kernels and keep their weights'
    meaning. ``weights`` is "imagenet", the path of a local file (whole network or features) or None; ``trainable``
    fine-tunes what lies above stride 4. With ``classifier`` all blocks are kept, and ``image_features`` pools block 18
    at its native stride (1280 values, of which the mean is what the ImageNet classifier sees).
    """

    def __init__(
        self,
        weights: str | None = "imagenet",
        trainable: bool = True,
        normalization: str = "imagenet",
        last_block: int = 17,
        stride: int = 16,
        classifier: bool | None = False,
        image_pool: str = "mean",
    ) -> None:
        super().__init__(normalization, image_pool)
        _check_choices(last_block, stride)
        network = torchvision.models.mobilenet_v2(weights=None)
        network.classifier = nn.Identity()
        if weights is None:
            initialize_from_scratch(network)
        else:
            published = MobileNet_V2_Weights.IMAGENET1K_V1
            load_weights(network, weights, published, torchvision.models.mobilenet_v2, ("classifier.",))
        fold_batch_norms(network.features)
        self.last_block = last_block
        self.features = network.features if classifier else network.features[: last_block + 1]
        self.out_channels = _output_channels(self.features[last_block])
        self.has_classifier = bool(classifier)
        self._dilates = stride == 16 and last_block >= FIRST_STRIDE_32_BLOCK
        self._set_dilation(self._dilates)
        self.geometry = (receptive_field_level(window_layers(self.features[: last_block + 1])),)
        self.stem = list(self.features[:4])
        self.complete(weights is not None, trainable)

    def forward(self, images: Tensor) -> tuple[Tensor]:
        features = self.normalize(images)
        for index in range(self.last_block + 1):
            features = self.features[index](features)
        return (features,)

    @property
    def feature_dim(self) -> int:
        return self.pooled_dim(1280 if self.has_classifier else self.out_channels)

    def image_features(self, images: Tensor) -> Tensor:
        if not self.has_classifier:
            return super().image_features(images)
        self._set_dilation(False)
        try:
            return self.pool_image(self.features(self.normalize(images)))
        finally:
            self._set_dilation(self._dilates)

    def _set_dilation(self, dilated: bool) -> None:
        """Turn the one strided step from stride 16 to 32 into dilation of all later 3x3 kernels, or back."""
        for index, block in enumerate(self.features[FIRST_STRIDE_32_BLOCK:]):
            for layer in block.modules():
                if isinstance(layer, nn.Conv2d) and layer.kernel_size == (3, 3):
                    # The strided kernel itself still sees the fine grid; those after it must skip every other cell.
                    reach = 2 if dilated and index > 0 else 1
                    layer.stride = (2, 2) if index == 0 and not dilated else (1, 1)
                    layer.dilation = layer.padding = (reach, reach)


def _output_channels(block: nn.Module) -> int:
    return [layer for layer in block.modules() if isinstance(layer, nn.Conv2d)][-1].out_channels


def _check_choices(last_block: int, stride: int) -> None:
    if stride not in (16, 32):
        raise UserError(f"model.backbone.stride={stride} must be 16 or 32")
    first = 11 if stride == 16 else FIRST_STRIDE_32_BLOCK
    if not first <= last_block <= LAST_BLOCK:
        raise UserError(
            f"model.backbone.last_block={last_block} must be {first} to {LAST_BLOCK} for model.backbone.stride={stride}"
        )
