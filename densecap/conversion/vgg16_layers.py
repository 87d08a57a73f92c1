"""VGG-16's layers under Caffe's names, and where torchvision and the backbone have them."""

from __future__ import annotations

from collections.abc import Iterator

from densecap.models.backbones.vgg16 import CONFIGURATION

#: Name -> (place in ``classifier``, output width, input width). fc6 reads the map of 512 x 7 x 7, channels first.
FULLY_CONNECTED = {"fc6": (0, 4096, 512 * 7 * 7), "fc7": (3, 4096, 4096), "fc8": (6, 1000, 4096)}


def _convolutions() -> Iterator[tuple[str, tuple[int, int, int]]]:
    place, channels, block, number = 0, 3, 1, 1
    for width in CONFIGURATION:
        if width is None:
            place, block, number = place + 1, block + 1, 1
            continue
        yield f"conv{block}_{number}", (place, width, channels)
        place, channels, number = place + 2, width, number + 1


#: Name -> (place in ``features``, output channels, input channels) of the thirteen convolutions of 3 x 3.
CONVOLUTIONS = dict(_convolutions())
