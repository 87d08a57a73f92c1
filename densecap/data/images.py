"""Reading any image file as RGB, by one rule that preprocessing, prediction and the server share.

The rule: the picture as a viewer shows it, as 8-bit RGB.

* EXIF orientation is applied; the size of an image is its size after that.
* Transparency is laid over white. Grey is copied to the three channels, palettes and CMYK are converted.
* Of 16-bit pixels the upper byte is kept. Of an animation the first frame is taken. Colour profiles are ignored.

Plain JPEG files go through torchvision's decoder, 2.6 times as fast with the resizing that follows, everything else
through Pillow; both give the same pixels.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from densecap.data.jpeg_header import read_jpeg_header
from densecap.data.pixels import image_of_pixels, uses_torch
from densecap.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

#: Larger images are refused: a small file can claim a size that fills the memory.
MAX_PIXELS = 2**28

#: Endings by which a folder is searched for images; ``read_image`` itself goes by the content.
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})


class ImageError(UserError):
    """A file that cannot be read as an image; the message names the file and the reason."""


class ImageTooLarge(ImageError):
    """An image with more pixels than are taken."""


def read_image(source: Path | str | bytes) -> Tensor:
    """The image at a path, or in the bytes of a file, as a (3, H, W) uint8 RGB tensor.

    Raises ``ImageError`` when it is missing, empty, damaged, truncated or of an unknown format.
    """
    if isinstance(source, bytes):
        return decode_image(source, "the given image")
    return decode_image(read_bytes(Path(source)), str(source))


def decode_image(
    data: bytes, name: str, max_pixels: int = MAX_PIXELS, formats: tuple[str, ...] | None = None
) -> Tensor:
    """The image in the bytes of a file, as ``read_image`` gives it; ``name`` is what an ``ImageError`` calls it.

    ``formats`` are Pillow's names of those that are taken (None: all). Errors: ``ImageTooLarge``, before anything is
    decoded, for more than ``max_pixels``.
    """
    header = read_jpeg_header(data)
    if uses_torch() and header is not None and header.is_plain and header.height * header.width <= max_pixels:
        from densecap.data.jpeg_codec import decode_plain_jpeg

        image = decode_plain_jpeg(data)
        if image is not None:
            return image
    return _decode_with_pillow(data, name, max_pixels, formats)  # of a damaged JPEG it names the damage


def read_bytes(path: Path) -> bytes:
    """The content of an image file; ``ImageError`` when it is missing, empty or may not be read."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ImageError(f"{path} does not exist") from None
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror}") from None
    if not data:
        raise ImageError(f"{path} is empty")
    return data


def needs_reencoding(data: bytes, longest: int) -> bool:
    """Whether an image file must be decoded and written anew to be stored with ``longest`` pixels at most.

    False only for a plain JPEG (8-bit RGB or grey, no rotation) that is small enough: such bytes are kept untouched.
    """
    header = read_jpeg_header(data)
    return header is None or not header.is_plain or max(header.height, header.width) > longest


def _decode_with_pillow(data: bytes, name: str, max_pixels: int, formats: tuple[str, ...] | None) -> Tensor:
    try:
        with Image.open(io.BytesIO(data), formats=formats) as image:
            if image.width * image.height > max_pixels:
                raise ImageTooLarge(f"{name} is too large: {image.width} x {image.height} pixels")
            return image_from_pillow(image)
    except UnidentifiedImageError:
        raise ImageError(f"{name} is not an image in a known format") from None
    except Image.DecompressionBombError:
        raise ImageTooLarge(f"{name} is too large: its header claims more pixels than any photo has") from None
    except ImageError:
        raise
    except Exception as error:  # decoders of damaged files raise nearly anything: OSError, SyntaxError, struct.error
        raise ImageError(f"{name} is damaged: {str(error) or type(error).__name__}") from None


def image_from_pillow(image: Image.Image) -> Tensor:
    """A Pillow image by the rule above; errors: ValueError for floating-point pixels."""
    return image_of_pixels(np.array(_to_rgb(ImageOps.exif_transpose(image))))


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise ValueError("floating-point pixels have no stated range, save it with 8 or 16 bits")
    if image.mode.startswith("I"):  # 16-bit grey, which Pillow may hand over as 32-bit
        grey = np.asarray(image).astype(np.int64).clip(0, 65535) >> 8
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")
