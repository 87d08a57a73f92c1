"""Photographs inside the page."""

from __future__ import annotations

import base64
import io

from PIL import Image

#: Longest side in pixels, and JPEG quality.
LONGEST_SIDE, QUALITY = 480, 78


def data_url(picture: Image.Image) -> str:
    """The picture as a JPEG within an address, scaled down to ``LONGEST_SIDE`` where it is larger."""
    small = picture.convert("RGB")
    small.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
