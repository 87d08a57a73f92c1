"""The picture of an evaluation: which images stand on it, and that boxes lie where they were predicted."""

import numpy as np
from PIL import Image

from densecap.evaluation.result import Evaluation
from densecap.metrics.dense_map.records import DenseRecord
from densecap.prediction.drawing import PALETTE
from densecap.report.sheet import COLUMNS, SIDE, write_sheet


def record(name, boxes=((0, 0, 800, 400),), scores=(1.0,)):
    return DenseRecord(name, 800, 400, boxes, scores, ["a dog"] * len(boxes))


def test_boxes_of_original_pixels_on_a_stored_picture_that_is_smaller(tmp_path):
    found = record("a", [[400, 200, 600, 300], [8, 8, 60, 60]], [0.9, 0.2])
    evaluation = Evaluation(
        {"protocols": {"predicted": {}}}, [found], load_image=lambda name: Image.new("RGB", (80, 40))
    )
    assert write_sheet(tmp_path / "sheet.jpg", evaluation, 5)
    with Image.open(tmp_path / "sheet.jpg") as sheet:
        pixels = np.asarray(sheet.convert("RGB")).astype(int)
    red, green, blue = (int(PALETTE[0][at : at + 2], 16) for at in (1, 3, 5))  # of the box with the best score
    rows, columns = np.nonzero(np.abs(pixels - [red, green, blue]).sum(axis=2) < 60)
    gap, factor = (pixels.shape[1] - SIDE) // 2, SIDE / 800
    assert abs(columns.max() - (gap + 600 * factor)) <= 3 and abs(rows.max() - (gap + 300 * factor)) <= 3


def test_images_are_spread_over_the_split_and_those_without_a_picture_left_out(tmp_path):
    asked = []

    def load(name):
        asked.append(int(name))
        return None if name == "0" else Image.new("RGB", (40, 20), "red")

    evaluation = Evaluation(
        {"protocols": {"images": {}}}, [record(str(place)) for place in range(101)], load_image=load
    )
    assert write_sheet(tmp_path / "sheet.jpg", evaluation, 6)
    assert asked == [0, 20, 40, 60, 80, 100]
    with Image.open(tmp_path / "sheet.jpg") as sheet:
        assert sheet.width > COLUMNS * SIDE and sheet.height > 2 * (SIDE // 2 + 22)  # two rows with their captions


def test_without_pictures_there_is_no_sheet(tmp_path):
    assert not write_sheet(tmp_path / "sheet.jpg", Evaluation({}, [record("a")]), 3)
    assert not write_sheet(tmp_path / "sheet.jpg", Evaluation({}, []), 3)
    assert not list(tmp_path.iterdir())
