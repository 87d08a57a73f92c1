"""Features of boxes cut out of images: pixels to squares, squares through the backbone, once for each distinct box."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from densecap.models.backbones.base import Backbone
from densecap.models.views import InputSize, crop_box, num_views, sizes_of, views

#: Squares that go through the backbone at once, at most: on a processor few, whose maps stay in memory it has already.
CPU_SQUARES, GPU_SQUARES = 4, 64


def encode_images(backbone: Backbone, images: Sequence[Tensor], input_size: InputSize, crop: str) -> Tensor:
    """(3, H, W) uint8 images -> (B, F) on the backbone's device; sizes and ``crop`` as in ``densecap.models.views``."""
    return _encoded(backbone, images, input_size, crop)


def encode_boxes(
    backbone: Backbone,
    images: Tensor,
    sizes: Sequence[tuple[int, int]],
    boxes: Sequence[Tensor],
    input_size: InputSize,
    crop: str,
) -> Tensor:
    """(N, F) for all boxes, (R, 4) an image, in padded (B, 3, H, W) uint8 images of these (height, width)."""
    owners = torch.cat([own.new_full((len(own),), float(index)) for index, own in enumerate(boxes)])  # (N,)
    rows = torch.cat((owners[:, None], torch.cat(list(boxes))), dim=1)  # (N, 5)
    if not len(rows):
        return _encoded(backbone, [], input_size, crop)
    distinct, inverse = rows.unique(dim=0, return_inverse=True)
    pieces = []
    for index, *box in distinct.tolist():
        height, width = sizes[int(index)]
        pieces.append(crop_box(images[int(index), :, :height, :width], tuple(box)))
    features = _encoded(backbone, pieces, input_size, crop)
    return features[inverse.to(features.device)]


def learns(backbone: Backbone) -> bool:
    """Whether anything in it is trained."""
    return any(parameter.requires_grad for parameter in backbone.parameters())


def _encoded(backbone: Backbone, pieces: Sequence[Tensor], input_size: InputSize, crop: str) -> Tensor:
    """U pictures (3, H, W) -> (U, F), the mean over the views of each at every size; without gradients if nothing is
    trained."""
    device = next(backbone.parameters()).device
    if not pieces:
        return torch.zeros(0, backbone.feature_dim, device=device)
    with torch.set_grad_enabled(torch.is_grad_enabled() and learns(backbone)):
        scales = [_at_size(backbone, pieces, size, crop) for size in sizes_of(input_size)]
        return torch.stack(scales).mean(dim=0) if len(scales) > 1 else scales[0]


def _at_size(backbone: Backbone, pieces: Sequence[Tensor], size: int, crop: str) -> Tensor:
    """(U, F) of U pictures, seen as squares (K, 3, S, S) of one size."""
    device = next(backbone.parameters()).device
    at_once = CPU_SQUARES if device.type == "cpu" else GPU_SQUARES
    parts = torch.cat([views(piece, size, crop) for piece in pieces]).to(device).split(at_once)
    features = torch.cat([backbone.image_features(part) for part in parts])  # (U * K, F)
    count = num_views(crop)
    return features.view(len(pieces), count, features.shape[1]).mean(dim=1) if count > 1 else features
