"""JPEG decoding and encoding: torchvision's (which let other threads run meanwhile), else Pillow's.

Both are libjpeg-turbo and give the same pixels. torchvision 0.29 has announced that its codec will go, and a build may
lack it; then Pillow does all the work. torchvision is imported at the first picture: that takes seconds, and not every
command opens one.
"""

from __future__ import annotations

import io
from functools import cache
from types import ModuleType

import numpy as np
import torch
from PIL import Image
from torch import Tensor


@cache
def _torchvision() -> ModuleType | None:
    """``torchvision.io``, or None where it has no JPEG codec."""
    try:
        import torchvision.io
    except ImportError:
        return None
    return torchvision.io if hasattr(torchvision.io, "decode_jpeg") else None


def decode_plain_jpeg(data: bytes) -> Tensor | None:
    """(3, H, W) uint8 RGB of an 8-bit RGB or grey JPEG; None when this decoder is absent or refuses the file."""
    codec = _torchvision()
    if codec is None:
        return None
    try:
        pixels = torch.frombuffer(bytearray(data), dtype=torch.uint8)
        return codec.decode_jpeg(pixels, mode=codec.ImageReadMode.RGB)
    except RuntimeError:
        return None


def encode_as_jpeg(image: Tensor, quality: int) -> bytes:
    """The JPEG file of a (3, H, W) uint8 RGB image; ``quality`` 1..100 in libjpeg's scale, colour halved as usual."""
    codec = _torchvision()
    if codec is not None:
        try:
            return codec.encode_jpeg(image, quality=quality).numpy().tobytes()
        except RuntimeError:
            pass  # torchvision was built without libjpeg
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image.permute(1, 2, 0).numpy())).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
