"""One picture of what was found: the photos in their order, with the regions marked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from densecap.data.images import read_image
from densecap.errors import UserError
from densecap.prediction.drawing import draw_regions, image_from_tensor, save_sheet
from densecap.region_index.ranking import FoundImage
from densecap.structures import RegionPrediction

#: Pixels of the longest side of a photo on the sheet, and photos in a row.
SIDE, COLUMNS = 480, 3


def write_sheet(path: Path, found: Sequence[FoundImage], phrases: Sequence[str]) -> list[str]:
    """Draw the photos that can still be read, one at least, into a JPEG; returns those that cannot.

    Without any, no file is written.
    """
    pictures, gone = [], []
    for rank, image in enumerate(found, start=1):
        try:
            pictures.append(_marked(image, rank, phrases))
        except (UserError, OSError):
            gone.append(image.file)
    save_sheet(path, pictures, COLUMNS)
    return gone


def _marked(found: FoundImage, rank: int, phrases: Sequence[str]) -> Image.Image:
    photo = image_from_tensor(read_image(Path(found.file)))
    factor = SIDE / max(photo.size)
    photo = photo.resize((max(1, round(photo.width * factor)), max(1, round(photo.height * factor))))
    regions = []
    for phrase, region in zip(phrases, found.regions):
        left, top, right, bottom = (side * factor for side in region.box)
        caption = f"{rank}. {phrase} ({region.log_prob:.1f})"
        regions.append(RegionPrediction((left, top, right, bottom), 1.0, caption, region.log_prob))
    return draw_regions(photo, regions, scale=1, text_size=16)
