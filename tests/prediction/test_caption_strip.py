"""The caption of a whole picture stands below it, not on it."""

import numpy as np
import pytest
import torch
from PIL import Image

from densecap.prediction.caption_strip import describes_whole_image, with_caption
from densecap.prediction.pictures import DrawingStyle, DrawnPictures
from densecap.structures import Prediction, RegionPrediction

CAPTION = "two dogs run through the tall grass beside a river and a man with a red hat watches them"


def prediction(box, count=1):
    regions = [RegionPrediction(box, 1.0, CAPTION, -1.0)] * count
    return Prediction("a", "a.jpg", 60, 40, regions)


@pytest.mark.parametrize("size", [(60, 40), (40, 60), (640, 480), (1200, 300)])
def test_the_picture_is_untouched_and_the_words_fit(size):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
    drawn = with_caption(picture, CAPTION)
    scale = drawn.width // size[0]
    assert drawn.width == scale * size[0] >= 320 and drawn.height > scale * size[1]
    enlarged = picture if scale == 1 else picture.resize((drawn.width, scale * size[1]), Image.Resampling.LANCZOS)
    assert np.array_equal(np.asarray(drawn)[: scale * size[1]], np.asarray(enlarged))
    strip = np.asarray(drawn)[scale * size[1] :].min(axis=2)
    assert (strip < 100).sum() > 300, "there is ink"
    assert (strip[:2] == 255).all() and (strip[-2:] == 255).all() and (strip[:, :2] == 255).all()
    assert (strip[:, -2:] == 255).all(), "no word is cut off"


def test_without_words_there_is_no_strip():
    assert with_caption(Image.new("RGB", (640, 480)), "  ").size == (640, 480)


def test_which_predictions_are_of_whole_images():
    assert describes_whole_image(prediction((0, 0, 60, 40)))
    assert not describes_whole_image(prediction((0, 0, 59, 40)))
    assert not describes_whole_image(prediction((0, 0, 60, 40), count=2))
    assert not describes_whole_image(Prediction("a", "a.jpg", 60, 40))


def test_the_writer_chooses(tmp_path):
    writer = DrawnPictures(tmp_path, DrawingStyle())
    image = torch.full((3, 40, 60), 90, dtype=torch.uint8)
    writer.save(prediction((0, 0, 60, 40)), image)
    with Image.open(tmp_path / "a.jpg") as picture:
        below = picture.size
    writer.save(prediction((5, 5, 60, 40)), image)
    with Image.open(tmp_path / "a.jpg") as picture:
        assert picture.size == (480, 320) and below[0] == 480 and below[1] > 320
