"""COCO's results of captioning."""

from __future__ import annotations

from pathlib import Path

from densecap.data.coco_images import coco_id
from densecap.prediction.writers.text import ListWriter
from densecap.structures import Prediction


class CocoWriter(ListWriter):
    """An image a line; the caption of its best region, nothing where it has none."""

    def add(self, prediction: Prediction) -> None:
        if not prediction.regions:
            return
        number = coco_id(Path(prediction.file).name)
        image_id = int(number) if number.isdecimal() else prediction.image_id
        self.add_entry({"image_id": image_id, "caption": prediction.regions[0].caption})
