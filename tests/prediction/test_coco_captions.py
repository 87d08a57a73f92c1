"""COCO's results of captioning: what its server takes, and what eval reads back."""

import json
from pathlib import Path

from densecap.evaluation.formats.table import read_predictions
from densecap.prediction.writers import open_writers
from densecap.structures import Prediction, RegionPrediction


def prediction(image_id: str, file: str, *captions: str) -> Prediction:
    regions = [RegionPrediction((0.0, 0.0, 8.0, 8.0), 1.0, caption, -1.0) for caption in captions]
    return Prediction(image_id, file, 8, 8, regions)


def test_numbers_of_any_year_are_whole_numbers_and_one_caption_an_image(tmp_path: Path) -> None:
    (writer,) = open_writers(["coco"], tmp_path, {})
    for item in (
        prediction("COCO_test2014_000000000042", "test2014/COCO_test2014_000000000042.jpg", "a dog", "a tail"),
        prediction("000000000139", "val2017/000000000139.jpg", "a »room«"),
        prediction("empty", "000000000140.jpg"),
        prediction("1000268201_693b08cb0e", "1000268201_693b08cb0e.jpg", "a child"),
    ):
        writer.add(item)
    writer.close({})
    rows = json.loads((tmp_path / "coco_captions.json").read_text(encoding="utf-8"))
    assert rows == [
        {"image_id": 42, "caption": "a dog"},
        {"image_id": 139, "caption": "a »room«"},
        {"image_id": "1000268201_693b08cb0e", "caption": "a child"},
    ]
    assert all(set(row) == {"image_id", "caption"} for row in rows)
    read = read_predictions(tmp_path / "coco_captions.json")
    assert read.whole_images and [image.image_id for image in read.images] == ["42", "139", "1000268201_693b08cb0e"]


def test_no_images_are_an_empty_list(tmp_path: Path) -> None:
    (writer,) = open_writers(["coco"], tmp_path, {})
    writer.close({})
    assert json.loads((tmp_path / "coco_captions.json").read_text()) == []
