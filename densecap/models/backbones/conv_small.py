"""A small network trained from nothing, for the embedded data."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from densecap.models.backbones.base import Backbone
from densecap.models.backbones.geometry import receptive_field_level, window_layers
from densecap.models.backbones.initialization import initialize_from_scratch
from densecap.models.backbones.weights import check_finite, check_state, read_state_file


class ConvSmall(Backbone):
    """(B, 3, H, W) -> one map (B, widths[3], h, w) of stride 8.

    Three strided convolutions, a fourth that is not, then residual blocks with kernels dilated 2, 4, ... that let each
    cell see its neighbourhood. Group normalisation, so one image a batch trains well; the last one centres every
    channel, without which all regions look alike to the decoder for the first thousand steps. About 0.23 billion
    multiplications for an image of 256x192. ``weights`` is None or the path of a state dict of this very network.
    """

    def __init__(
        self,
        weights: str | None = None,
        trainable: bool = True,
        normalization: str = "imagenet",
        widths: Sequence[int] = (24, 48, 96, 128),
        num_blocks: int = 2,
        image_pool: str = "mean_max",
    ) -> None:
        super().__init__(normalization, image_pool)
        strides = (2, 2, 2, 1)
        layers: list[nn.Module] = []
        for channels, width, stride in zip((3, *widths), widths, strides):
            layers += [
                nn.Conv2d(channels, width, 3, stride, padding=1, bias=False),
                _norm(width),
                nn.ReLU(inplace=True),
            ]
        layers += [ContextBlock(widths[-1], dilation=2 ** (index + 1)) for index in range(num_blocks)]
        layers.append(nn.GroupNorm(widths[-1], widths[-1]))  # every channel has mean 0 over the image
        self.features = nn.Sequential(*layers)
        self.out_channels = widths[-1]
        self.geometry = (receptive_field_level(window_layers(self.features)),)
        if weights is None:
            initialize_from_scratch(self.features)
        else:
            self._load(weights)
        self.complete(weights is not None, trainable)

    def forward(self, images: Tensor) -> tuple[Tensor]:
        return (self.features(self.normalize(images)),)

    def _load(self, weights: str) -> None:
        state, expected = read_state_file(weights), self.state_dict()
        check_state(state, expected, expected, weights, "conv_small")
        check_finite(state, expected, weights)
        self.load_state_dict(state)


class ContextBlock(nn.Module):
    """x + 1x1(dilated 3x3(1x1(x))), half as wide inside; same shape out as in."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        inner = channels // 2
        self.layers = nn.Sequential(
            nn.Conv2d(channels, inner, 1, bias=False),
            _norm(inner),
            nn.ReLU(inplace=True),
            nn.Conv2d(inner, inner, 3, padding=dilation, dilation=dilation, bias=False),
            _norm(inner),
            nn.ReLU(inplace=True),
            nn.Conv2d(inner, channels, 1, bias=False),
            _norm(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.layers(x), inplace=True)


def _norm(channels: int) -> nn.GroupNorm:
    groups = next(count for count in (8, 4, 2, 1) if channels % count == 0)
    return nn.GroupNorm(groups, channels)
