"""Pictures from clients: what they are is known, and how large, before anything is decoded.

They are read by the rule of ``densecap.data.images`` and brought to the model's size at once, so that what waits in
the queue is small whatever was sent.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from densecap.data.images import ImageError, ImageTooLarge, decode_image
from densecap.ops.resize import resize_image, resized_size
from densecap.serving.refusals import Refused

#: How files of the types that are taken begin, and Pillow's names of the types.
_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
)
TYPES = ("JPEG", "PNG", "WebP", "GIF", "BMP", "TIFF")

#: Passes of a progressive JPEG at most; each costs the time of a picture, and real ones have about ten.
_MAX_SCANS = 200


#: Pixels of the shorter side as the model sees it: backbones make one cell of so many.
_LEAST_SIDE = 16


@dataclass(frozen=True)
class Picture:
    """A picture ready for the model: ``image`` (3, h, w) uint8 RGB with the model's longest side.

    ``width`` and ``height`` are those of the picture as sent, as a viewer shows it.
    """

    image: Tensor
    width: int
    height: int

    @property
    def scale(self) -> tuple[float, float]:
        """(horizontal, vertical) from pixels of the picture as sent to those of ``image``."""
        return self.image.shape[-1] / self.width, self.image.shape[-2] / self.height


def image_type(data: bytes) -> str | None:
    """Pillow's name of an image file's type by how it begins; None for what is not taken."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    return next((name for beginning, name in _SIGNATURES if data.startswith(beginning)), None)


def read_picture(data: bytes, name: str, longest: int, filter_name: str, max_pixels: int) -> Picture:
    """The picture in the bytes of a file; ``name`` is what sentences call it.

    Errors: Refused with 415 for another type of file, 413 for too many pixels, 422 for what is empty or damaged.
    """
    if not data:
        raise Refused(422, f"{name} is empty")
    kind = image_type(data)
    if kind is None:
        raise Refused(415, f"{name} is not an image of a type that is taken: {', '.join(TYPES)}")
    if kind == "JPEG" and data.count(b"\xff\xda") > _MAX_SCANS:
        raise Refused(422, f"{name} is damaged: a JPEG of more than {_MAX_SCANS} passes")
    try:
        image = decode_image(data, name, max_pixels, (kind,))
    except ImageTooLarge as error:
        raise Refused(413, f"{error}, more than the {max_pixels:,} that are taken") from None
    except (ImageError, MemoryError) as error:
        raise Refused(422, str(error) or f"{name} cannot be decoded") from None
    height, width = image.shape[-2:]
    if min(resized_size(height, width, longest)) < _LEAST_SIDE:
        raise Refused(422, f"{name} is too narrow to be described: it has {width} x {height} pixels")
    return Picture(resize_image(image, longest, filter_name), width, height)
