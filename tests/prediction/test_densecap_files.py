"""results.json as the original writes it: values worked out by hand, and what eval reads back."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from densecap.evaluation.formats.table import read_predictions
from densecap.prediction.writers import open_writers
from densecap.prediction.writers.densecap2016 import ResizedPictures, logit, resized_box
from densecap.structures import Prediction, RegionPrediction

DETECTION = {"proposal_nms_iou": 0.7, "final_nms_iou": 0.3, "max_proposals": 1000}


def model(image_size: int) -> dict:
    return {"checkpoint": "m.ckpt", "config": {"image_size": image_size, "detection": DETECTION}}


def region(box, score, caption="a cat") -> RegionPrediction:
    return RegionPrediction(box, score, caption, -1.0)


def test_boxes_count_from_one_in_the_resized_picture():
    # 1000 x 750 becomes 720 x 540: factors .72; 3 x 2 becomes 720 x 480: factors 240
    assert resized_box([0, 0, 1000, 750], 1000, 750, 720) == [1, 1, 720, 540]
    assert resized_box([100, 50, 300, 150], 1000, 750, 720) == [73, 37, 144, 72]
    assert resized_box([1, 1, 2, 2], 3, 2, 720) == [241, 241, 240, 240]
    # 500 x 333 becomes 720 x 479, truncated from 479.52: the factor down is 479 / 333
    assert resized_box([0, 0, 500, 333], 500, 333, 720) == [1, 1, 720, 479]
    assert logit(0.5) == 0 and logit(1 / (1 + math.exp(-2))) == pytest.approx(2)
    assert [round(logit(value), 4) for value in (0.0, 1.0)] == [-14.5087, 14.5087]


def test_the_file_has_the_fields_of_the_original(tmp_path: Path):
    (writer,) = open_writers(["densecap"], tmp_path, model(720))
    writer.add(
        Prediction(
            "elephant",
            "p/elephant.png",
            720,
            480,
            [region((10, 20, 110, 220), 0.75), region((0, 0, 9, 9), 0.25, "a dog")],
        )
    )
    writer.add(Prediction("none", "p/none.png", 72, 48))
    writer.close({})
    data = json.loads((tmp_path / "densecap" / "results.json").read_text())
    assert data == {
        "results": [
            {
                "img_name": "elephant.jpg",
                "boxes": [[11.0, 21.0, 100.0, 200.0], [1.0, 1.0, 9.0, 9.0]],
                "scores": [1.0986, -1.0986],
                "captions": ["a cat", "a dog"],
            },
            {"img_name": "none.jpg", "boxes": [], "scores": [], "captions": []},
        ],
        "opt": {
            "checkpoint": "m.ckpt",
            "image_size": 720,
            "rpn_nms_thresh": 0.7,
            "final_nms_thresh": 0.3,
            "num_proposals": 1000,
        },
    }


@pytest.mark.parametrize("image_size", [256, 720])
def test_what_eval_reads_is_what_was_predicted(tmp_path: Path, image_size: int):
    generator = np.random.default_rng(0)
    predictions = []
    for number in range(30):
        width, height = (int(side) for side in generator.integers(20, 1500, 2))
        boxes = np.sort(generator.uniform(0, 1, (5, 2, 2)), axis=1) * [width, height]
        rows = sorted(generator.uniform(0, 1, 5).tolist(), reverse=True)
        regions = [region(tuple(box.flatten().round(2).tolist()), score) for box, score in zip(boxes, rows)]
        predictions.append(Prediction(f"photo-{number}", f"p/photo-{number}.jpg", width, height, regions))
    (writer,) = open_writers(["densecap"], tmp_path, model(image_size))
    for prediction in predictions:
        writer.add(prediction)
    writer.close({})
    read = read_predictions(tmp_path / "densecap" / "results.json")
    assert read.format == "DenseCap results.json" and read.model == {"checkpoint": "m.ckpt"}
    for prediction, image in zip(predictions, read.images, strict=True):
        assert image.file == f"{prediction.image_id}.jpg"
        boxes = read.form.boxes(image.numbers, prediction.width, prediction.height)
        unit = max(prediction.width, prediction.height) / image_size  # original pixels of a resized one
        np.testing.assert_allclose(boxes, [own.box for own in prediction.regions], atol=0.002 * unit + 0.006)
        scores = 1 / (1 + np.exp(-image.scores))
        np.testing.assert_allclose(scores, [own.score for own in prediction.regions], atol=3e-5)


def test_pictures_beside_it_have_the_size_the_boxes_are_in(tmp_path: Path):
    output = ResizedPictures(tmp_path, 720)
    prediction = Prediction("wide", "wide.png", 500, 333)
    assert not output.is_there(prediction)
    output.save(prediction, torch.full((3, 333, 500), 77, dtype=torch.uint8))
    assert output.is_there(prediction)
    with Image.open(tmp_path / "wide.jpg") as picture:
        assert picture.size == (720, 479) and np.abs(np.asarray(picture).astype(int) - 77).max() <= 1
