"""Photos: found where they lie now, and made into what every browser shows."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image, ImageOps

from densecap.data.hdf5 import RegionFile
from densecap.data.images import IMAGE_SUFFIXES, MAX_PIXELS, ImageError, image_from_pillow, read_bytes

#: Pillow's names of the formats that browsers show, with the ending and the media type of each.
WEB_FORMATS = {
    "JPEG": (".jpg", "image/jpeg"),
    "MPO": (".jpg", "image/jpeg"),
    "PNG": (".png", "image/png"),
    "WEBP": (".webp", "image/webp"),
    "GIF": (".gif", "image/gif"),
}

#: Longest side of a small picture, in pixels, and the quality of pictures that are written anew.
THUMBNAIL_SIDE, THUMBNAIL_QUALITY, QUALITY = 240, 78, 88


class Photo(Protocol):
    """Where the bytes of a picture's file come from."""

    def read(self) -> bytes:
        """Errors: ImageError."""
        ...


@dataclass(frozen=True)
class PhotoOnDisk:
    path: Path

    def read(self) -> bytes:
        return read_bytes(self.path)


@dataclass(frozen=True)
class StoredPhoto:
    """The picture that a prepared data set holds, maybe smaller than the original."""

    region_file: RegionFile
    index: int

    def read(self) -> bytes:
        return self.region_file.image_bytes(self.index)


class PhotoFinder:
    """Looks a photo up by the path that a file of predictions has for it.

    ``images`` is the folder they lie in now: there the path's end counts, then the name alone, in subfolders too.
    Otherwise the path itself counts, from here and from the folder ``beside`` of the predictions.
    """

    def __init__(self, beside: Path, images: Path | None = None) -> None:
        self.beside, self.images = beside, images

    def find(self, file: str | None, image_id: str | None) -> PhotoOnDisk | None:
        """None when it is nowhere. A file that is not named is looked for by the image's id, in ``images`` only."""
        if file:
            path = self._find(file) or (self._find(file.replace("\\", "/")) if "\\" in file else None)
        else:
            path = self._by_stem(image_id)
        return None if path is None else PhotoOnDisk(path)

    def _find(self, file: str) -> Path | None:
        path = Path(file)
        if self.images is None:
            return next((tried for tried in (path, self.beside / path) if _is_file(tried)), None)
        for start in range(len(path.parts)):
            tried = self.images.joinpath(*path.parts[start:])
            if path.parts[start] not in (path.anchor, "..") and _is_file(tried):
                return tried
        return self._by_name.get(path.name)

    def _by_stem(self, image_id: str | None) -> Path | None:
        if self.images is None or image_id is None:
            return None
        return self._stems.get(image_id) or self._stems.get(image_id.zfill(12))

    @cached_property
    def _by_name(self) -> dict[str, Path]:
        """Pictures in the folder and below by name, the first of those called the same."""
        found: dict[str, Path] = {}
        if self.images is None:
            return found
        for folder, folders, names in os.walk(self.images):
            folders.sort()
            for name in sorted(names):
                if os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES:  # noqa: PTH122 (a Path a file is slow)
                    found.setdefault(name, Path(folder, name))
        return found

    @cached_property
    def _stems(self) -> dict[str, Path]:
        stems: dict[str, Path] = {}
        for name, path in self._by_name.items():
            stems.setdefault(Path(name).stem, path)
            stems.setdefault(Path(name).stem.rpartition("_")[2], path)  # COCO_val2014_000000000139
        return stems


def size_of(photo: Photo) -> tuple[int, int]:
    """(width, height) as a viewer shows it. Errors: ImageError."""
    with _opened(photo.read()) as image:
        turned = image.getexif().get(0x0112) in (5, 6, 7, 8)
        return (image.height, image.width) if turned else (image.width, image.height)


def web_picture(photo: Photo, longest: int | None) -> tuple[bytes, str, str]:
    """The picture's bytes, ending and media type: as it is where a browser shows that, else a JPEG.

    ``longest`` is the most pixels a side may have, None for any number. Errors: ImageError.
    """
    data = photo.read()
    with _opened(data) as image:
        fits = longest is None or max(image.size) <= longest
        if fits and image.format in WEB_FORMATS and not getattr(image, "is_animated", False):
            return data, *WEB_FORMATS[image.format]
        return _jpeg(image, longest or max(image.size), QUALITY), *WEB_FORMATS["JPEG"]


def thumbnail(photo: Photo) -> bytes:
    """A small JPEG. Errors: ImageError."""
    with _opened(photo.read()) as image:
        return _jpeg(image, THUMBNAIL_SIDE, THUMBNAIL_QUALITY)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # names that are too long, or hold a zero byte
        return False


def _opened(data: bytes) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data))
    except Exception as error:
        raise ImageError(f"the picture cannot be read: {error}") from None
    if image.width * image.height > MAX_PIXELS:
        raise ImageError(f"the picture is too large: {image.width} x {image.height} pixels")
    return image


def _jpeg(image: Image.Image, longest: int, quality: int) -> bytes:
    buffer = io.BytesIO()
    try:
        image.draft("RGB", (longest, longest))  # of a large JPEG only every second, fourth or eighth pixel is decoded
        small = ImageOps.exif_transpose(image) if image.mode == "RGB" else _converted(image)
        small.thumbnail((longest, longest), Image.Resampling.LANCZOS)
        small.save(buffer, "JPEG", quality=quality)
    except Exception as error:  # decoders of damaged files raise nearly anything
        raise ImageError(f"the picture is damaged: {error}") from None
    return buffer.getvalue()


def _converted(image: Image.Image) -> Image.Image:
    """By the rule of ``densecap.data.images``."""
    pixels = image_from_pillow(image).permute(1, 2, 0)  # (H, W, 3)
    return Image.fromarray(np.ascontiguousarray(pixels.numpy()))
