"""One picture of an evaluation: images spread over the split with what was said about them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from densecap.evaluation.result import Evaluation
from densecap.metrics.dense_map.records import DenseRecord
from densecap.prediction.caption_strip import with_caption
from densecap.prediction.drawing import draw_regions, save_sheet
from densecap.structures import RegionPrediction

#: Pixels of the longest side of an image on the sheet, images in a row, and boxes drawn on one.
SIDE, COLUMNS, MOST_BOXES = 480, 4, 8


def write_sheet(path: Path, evaluation: Evaluation, num_images: int) -> bool:
    """Draw ``num_images`` at most, evenly spread over the split, into a JPEG; False when no picture is at hand."""
    records = evaluation.records
    places = np.unique(np.linspace(0, len(records) - 1, min(num_images, len(records))).round().astype(int))
    whole = "images" in (evaluation.report.get("protocols") or {})
    loaded = [(records[place], evaluation.load_image(records[place].image_id)) for place in places.tolist()]
    return save_sheet(path, [_drawn(record, image, whole) for record, image in loaded if image is not None], COLUMNS)


def _drawn(record: DenseRecord, image: Image.Image, whole: bool) -> Image.Image:
    factor = SIDE / max(image.size)
    image = image.resize((max(1, round(image.width * factor)), max(1, round(image.height * factor))))
    if whole:
        return with_caption(image, record.captions[0] if record.captions else "", text_size=22)
    best = np.argsort(-np.asarray(record.scores), kind="stable")[:MOST_BOXES].tolist()
    sides = np.array([image.width / record.width, image.height / record.height] * 2)
    regions = [
        RegionPrediction(tuple((record.boxes[row] * sides).tolist()), 1.0, record.captions[row], 0.0) for row in best
    ]
    return draw_regions(image, regions, scale=1, text_size=16)
