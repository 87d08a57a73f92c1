"""The arithmetic of a forward pass, part by part, counted from shapes (``densecap.benchmark.floor``)."""

from __future__ import annotations

from collections.abc import Callable

import torch

from densecap.benchmark.floor import (
    Size,
    backbone_operations,
    count_operations,
    decoding_operations,
    proposal_operations,
    recognition_operations,
)
from densecap.models.backbones.precomputed import Precomputed
from densecap.models.captioner import Captioner
from densecap.models.dense_captioner import DenseCaptioner
from densecap.models.image_captioner import ImageCaptioner
from densecap.models.views import num_views, sizes_of
from densecap.ops.without_storage import without_storage

#: Words of a caption, of which the counts are made.
WORDS = 10


def operations_of_parts(model: Captioner, size: Size) -> dict[str, float]:
    """Operations of each part for one training image of (height, width) ``size``; a part that cannot be run without
    values, as some backbones of others, is left out."""
    counted: dict[str, Callable[[], float]]
    if isinstance(model, DenseCaptioner):
        regions = model.localization.region_batch_size
        captions = regions // 2
        counted = {
            "backbone": lambda: backbone_operations(model, [size]),
            "localization": lambda: proposal_operations(model, [size]),
            "recognition": lambda: recognition_operations(model, regions),
            "decoder": lambda: decoding_operations(model.decoder, captions, captions * (WORDS + 1), WORDS + 1),
        }
    else:
        counted = {
            "backbone": lambda: _whole_image_operations(model),
            "decoder": lambda: decoding_operations(model.decoder, 1, WORDS + 1, WORDS + 1),
        }
    found = {}
    for name, count in counted.items():
        try:
            found[name] = float(count())
        except (RuntimeError, NotImplementedError):
            continue
    return found


def _whole_image_operations(model: ImageCaptioner) -> int:
    if isinstance(model.backbone, Precomputed):
        return 0
    network = without_storage(model.backbone)
    views = num_views(model.crop)
    squares = [
        torch.empty(views, 3, side, side, dtype=torch.uint8, device="meta") for side in sizes_of(model.input_size)
    ]
    with torch.no_grad():
        return count_operations(lambda: [network.image_features(square) for square in squares])
