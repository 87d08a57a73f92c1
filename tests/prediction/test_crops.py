"""Regions cut out, named after their captions, and the table of them."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from densecap.prediction.crops import CropPictures, crop_of
from densecap.prediction.writers import open_writers
from densecap.prediction.writers.crop_table import CROP_COLUMNS, crop_name
from densecap.structures import Prediction, RegionPrediction


def prediction(*regions: tuple[tuple[float, float, float, float], str]) -> Prediction:
    return Prediction("a", "p/a.jpg", 8, 6, [RegionPrediction(box, 0.5, caption, -1.0) for box, caption in regions])


@pytest.mark.parametrize(
    ("box", "left_top", "size"),
    [
        ((2, 1, 5, 4), (2, 1), (3, 3)),
        ((1.9, 1.0, 5.1, 4.0), (1, 1), (5, 3)),  # every pixel it touches
        ((-3, -2, 99, 99), (0, 0), (8, 6)),
        ((4, 3, 4, 3), (4, 3), (1, 1)),
        ((7.9, 5.9, 8, 6), (7, 5), (1, 1)),
        ((20, 20, 30, 30), (7, 5), (1, 1)),
    ],
)
def test_the_pixels_inside(box, left_top, size):
    rows, columns = np.mgrid[0:6, 0:8]
    picture = Image.fromarray(np.stack((columns, rows, rows), axis=2).astype(np.uint8))
    crop = crop_of(picture, box)
    assert crop.size == size and crop.getpixel((0, 0))[:2] == left_top


@pytest.mark.parametrize(
    ("caption", "name"),
    [
        ("a red car", "003_a-red-car.jpg"),
        ("A man's T-shirt, half/off!", "003_a-man-s-t-shirt-half-off.jpg"),
        ("../../etc/passwd\0", "003_etc-passwd.jpg"),
        ("", "003_region.jpg"),
        ("<UNK>", "003_unk.jpg"),
        ("ein grüner Bär", "003_ein-grüner-bär.jpg"),
    ],
)
def test_names(caption, name):
    assert crop_name(3, caption) == name


@pytest.mark.parametrize("letter", ["a", "ß", "猫"])
def test_long_names_are_cut_between_letters(letter):
    name = crop_name(1234, letter * 500)
    assert len(name.encode()) <= 100 and name.startswith("1234_") and name.removeprefix("1234_").removesuffix(".jpg")


def test_files_and_table_name_each_other(tmp_path: Path):
    image = torch.zeros(3, 6, 8, dtype=torch.uint8)
    output, (table,) = CropPictures(tmp_path / "crops"), open_writers(["crops"], tmp_path, {})
    found = prediction(((0, 0, 4, 4), "a cat"), ((0, 0, 4, 4), "a cat"), ((1, 1, 8, 6), 'été, "rouge"'))
    output.save(found, image)
    table.add(found)
    table.close({})
    with (tmp_path / "crops" / "crops.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == CROP_COLUMNS and [row["region"] for row in rows] == ["0", "1", "2"]
    assert rows[2]["caption"] == 'été, "rouge"' and rows[2]["crop"] == "a/002_été-rouge.jpg"
    sizes = [Image.open(tmp_path / "crops" / row["crop"]).size for row in rows]
    assert sizes == [(4, 4), (4, 4), (7, 5)]


def test_crops_of_an_earlier_run_go_and_other_files_stay(tmp_path: Path):
    image = torch.zeros(3, 6, 8, dtype=torch.uint8)
    output = CropPictures(tmp_path)
    assert not output.is_there(prediction())
    output.save(prediction(((0, 0, 4, 4), "a cat"), ((0, 0, 4, 4), "a dog")), image)
    (tmp_path / "a" / "mine.jpg").write_bytes(b"mine")
    output.save(prediction(((0, 0, 4, 4), "a bird")), image)
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["000_a-bird.jpg", "mine.jpg"]
    assert output.is_there(prediction())
