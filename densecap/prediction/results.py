"""What a model says about one picture, ready to look at, to save and to hand on."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from densecap.errors import UserError
from densecap.prediction.caption_strip import describes_whole_image, with_caption
from densecap.prediction.crops import crop_of
from densecap.prediction.drawing import draw_regions, image_from_tensor
from densecap.structures import Prediction, RegionPrediction

if TYPE_CHECKING:
    from torch import Tensor

#: Regions that a line of text names.
_NAMED = 3


@dataclass(repr=False)
class Result:
    """Described regions of one picture, best score first (given boxes in their order).

    It has the length of its regions, and iterating or indexing gives ``RegionPrediction``: ``box`` (x1, y1, x2, y2 in
    pixels of the picture), ``score``, ``caption``, ``log_prob``. ``image`` is the (3, H, W) uint8 RGB picture.
    """

    prediction: Prediction
    image: Tensor

    @property
    def regions(self) -> list[RegionPrediction]:
        return self.prediction.regions

    @property
    def file(self) -> str:
        """The path or address it came from; a name such as "image 1" where it came from memory."""
        return self.prediction.file

    @property
    def width(self) -> int:
        return self.prediction.width

    @property
    def height(self) -> int:
        return self.prediction.height

    @property
    def boxes(self) -> np.ndarray:
        """(R, 4) float32 corners x1, y1, x2, y2 in pixels of the picture."""
        return np.array([region.box for region in self.regions], np.float32).reshape(len(self), 4)

    @property
    def scores(self) -> np.ndarray:
        """(R,) float32, each the probability that the box is a region."""
        return np.array([region.score for region in self.regions], np.float32)

    @property
    def captions(self) -> list[str]:
        return [region.caption for region in self.regions]

    def __len__(self) -> int:
        return len(self.regions)

    def __iter__(self) -> Iterator[RegionPrediction]:
        return iter(self.regions)

    def __getitem__(self, index: int) -> RegionPrediction:
        return self.regions[index]

    def plot(
        self, num_to_draw: int | None = 10, text_size: int | None = None, line_width: int | None = None
    ) -> Image.Image:
        """The picture with its best regions drawn (all when None); a caption of the whole picture stands below it.

        ``text_size`` and ``line_width`` are in pixels of the result, by default in proportion to it.
        """
        picture = image_from_tensor(self.image)
        if describes_whole_image(self.prediction):
            return with_caption(picture, self.regions[0].caption, text_size)
        return draw_regions(picture, self.regions, num_to_draw, text_size=text_size, line_width=line_width)

    def crop(self, index: int) -> Image.Image:
        """The part of the picture inside a region's box."""
        return crop_of(image_from_tensor(self.image), self.regions[index].box)

    def crops(self) -> list[Image.Image]:
        """``crop`` of every region."""
        picture = image_from_tensor(self.image)
        return [crop_of(picture, region.box) for region in self.regions]

    def to_json(self) -> dict[str, Any]:
        """The picture's entry in predictions.json (see ``densecap.prediction.writers``), of plain values."""
        return self.prediction.to_json()

    def save(self, path: str | Path) -> Path:
        """Write ``plot()``, or what ``to_json()`` gives where the name ends in .json; returns the path.

        Errors: UserError for an ending that is no picture's.
        """
        path = Path(path).expanduser()
        temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() == ".json":
            temporary.write_text(json.dumps(self.to_json(), ensure_ascii=False) + "\n", encoding="utf-8")
        elif path.suffix.lower() in Image.registered_extensions():
            self.plot().save(temporary)
        else:
            raise UserError(f"{path} ends in no picture's suffix: give a name that ends in .jpg, .png or .json")
        temporary.replace(path)
        return path

    def to_detections(self) -> Any:
        """The regions as ``supervision.Detections``, captions under ``data["caption"]``, the class of all 0.

        Errors: UserError when the package supervision is not installed.
        """
        try:
            import supervision
        except ImportError as error:
            raise UserError("to_detections() needs the package supervision: pip install supervision") from error
        return supervision.Detections(
            xyxy=self.boxes,
            confidence=self.scores,
            class_id=np.zeros(len(self), int),
            data={"caption": np.array(self.captions, dtype=np.str_)},
        )

    def __repr__(self) -> str:
        named = ", ".join(f"{region.caption!r} {region.score:.2f}" for region in self.regions[:_NAMED])
        more = ", ..." if len(self) > _NAMED else ""
        regions = "1 region" if len(self) == 1 else f"{len(self)} regions"
        return f"Result({self.file}, {self.width} x {self.height}, {regions}{': ' if named else ''}{named}{more})"

    def _repr_png_(self) -> bytes:
        """The drawn picture, which notebooks show."""
        buffer = io.BytesIO()
        self.plot().save(buffer, format="PNG")
        return buffer.getvalue()
