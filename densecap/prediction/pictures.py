"""Pictures that predict writes beside the text: one or more files of each image, made in threads beside the model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from densecap.prediction.caption_strip import describes_whole_image, with_caption
from densecap.prediction.drawing import PALETTE, draw_regions, image_from_tensor
from densecap.structures import Prediction

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class DrawingStyle:
    """How regions are drawn: ``num_to_draw`` best ones (None: all); ``text_size`` and ``line_width`` in pixels of the
    drawn picture (None: in proportion to it)."""

    num_to_draw: int | None = 10
    text_size: int | None = None
    line_width: int | None = None

    def draw(self, prediction: Prediction, image: Tensor, palette: Sequence[str] = PALETTE) -> Image.Image:
        """The (3, H, W) uint8 picture with its regions; the caption of a whole picture stands below it."""
        picture = image_from_tensor(image)
        if describes_whole_image(prediction):
            return with_caption(picture, prediction.regions[0].caption, self.text_size)
        return draw_regions(
            picture, prediction.regions, self.num_to_draw, None, self.text_size, palette, self.line_width
        )


class PictureOutput:
    """Files made from an image and what was said of it, for the format ``name`` of ``output.formats``.

    ``digest`` stands for everything that decides what the files look like, so that a later run knows whether those of
    an earlier one will do.
    """

    name: str

    def __init__(self, folder: Path, settings: Any = None) -> None:
        self.folder = folder
        self.digest = digest_of(settings)
        folder.mkdir(parents=True, exist_ok=True)

    def save(self, prediction: Prediction, image: Tensor) -> None:
        """Write the files of a (3, H, W) uint8 image; called in several threads at once, for different images.

        Errors: OSError.
        """
        raise NotImplementedError

    def is_there(self, prediction: Prediction) -> bool:
        """Whether its files lie in the folder."""
        raise NotImplementedError


def digest_of(settings: Any) -> str:
    """A short text that differs where settings, of plain values, do."""
    return hashlib.blake2b(json.dumps(settings, sort_keys=True).encode(), digest_size=6).hexdigest()


class DrawnPictures(PictureOutput):
    """``images/<image_id>.jpg``: the picture with its regions drawn on it."""

    name = "images"

    def __init__(self, folder: Path, style: DrawingStyle) -> None:
        super().__init__(folder, asdict(style))
        self.style = style

    def save(self, prediction: Prediction, image: Tensor) -> None:
        save_jpeg(self.style.draw(prediction, image), self._path(prediction))

    def is_there(self, prediction: Prediction) -> bool:
        return self._path(prediction).is_file()

    def _path(self, prediction: Prediction) -> Path:
        return self.folder / f"{prediction.image_id}.jpg"


def save_jpeg(picture: Image.Image, path: Path) -> None:
    """Write a JPEG under a temporary name, then rename it."""
    temporary = path.with_name(f".{path.name}.tmp")
    picture.save(temporary, format="JPEG", quality=92)
    temporary.replace(path)
