"""JPEG decoding and encoding: torchvision's (which let other threads run meanwhile), else Pillow's.

Both are libjpeg-turbo and give the same pixels. torchvision 0.29 has announced that its codec will go, and a build may
lack it; then Pillow does all the work.
"""

from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor

try:
    from torchvision.io import ImageReadMode, decode_jpeg, encode_jpeg
except ImportError:
    decode_jpeg = encode_jpeg = None


def decode_plain_jpeg(data: bytes) -> Tensor | None:
    """(3, H, W) uint8 RGB of an 8-bit RGB or grey JPEG; None when this decoder is absent or refuses the file."""
    if decode_jpeg is None:
        return None
    try:
        return decode_jpeg(torch.frombuffer(bytearray(data), dtype=torch.uint8), mode=ImageReadMode.RGB)
    except RuntimeError:
        return None


def encode_as_jpeg(image: Tensor, quality: int) -> bytes:
    """The JPEG file of a (3, H, W) uint8 RGB image; ``quality`` 1..100 in libjpeg's scale, colour halved as usual."""
    if encode_jpeg is not None:
        try:
            return encode_jpeg(image, quality=quality).numpy().tobytes()
        except RuntimeError:
            pass  # torchvision was built without libjpeg
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image.permute(1, 2, 0).numpy())).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
