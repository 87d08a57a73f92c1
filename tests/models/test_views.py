"""The squares of a picture, pixel by pixel where nothing is resized."""

import pytest
import torch

from densecap.errors import UserError
from densecap.models.views import canonical_size, check_crop, crop_box, in_words, num_views, sizes_of, views
from tests.fakes.whole_images import noise


def test_a_square_of_the_right_size_is_left_alone():
    image = noise(32, 32)
    for crop in ("squash", "center"):
        (square,) = views(image, 32, crop)
        assert torch.equal(square, image)


def test_center_cuts_both_ends_of_the_long_side():
    image = noise(32, 50)
    assert torch.equal(views(image, 32, "center")[0], image[:, :, 9:41])
    assert torch.equal(views(image.transpose(1, 2), 32, "center")[0], image.transpose(1, 2)[:, 9:41])


def test_squash_keeps_every_part_of_the_picture():
    """A picture whose right quarter is white stays so, where center would lose it."""
    image = torch.zeros(3, 40, 160, dtype=torch.uint8)
    image[:, :, 120:] = 255
    (square,) = views(image, 40, "squash")
    assert square.shape == (3, 40, 40) and (square[:, :, 31:] == 255).all() and (square[:, :, :29] == 0).all()


def test_ten_crops_are_corners_centre_and_mirror_images():
    image = noise(64, 80)  # the short side is 8/7 of 56
    found = views(image, 56, "ten")
    assert found.shape == (10, 3, 56, 56) and num_views("ten") == 10
    expected = [image[:, :56, :56], image[:, :56, 24:], image[:, 8:, :56], image[:, 8:, 24:], image[:, 4:60, 12:68]]
    for row, square in enumerate(expected):
        assert torch.equal(found[row], square)
        assert torch.equal(found[row + 5], square.flip(2))


def test_boxes_are_cut_out_whole_and_never_empty():
    image = noise(20, 30)
    assert torch.equal(crop_box(image, (3.2, 4.0, 10.5, 8.9)), image[:, 4:9, 3:11])
    assert torch.equal(crop_box(image, (0.0, 0.0, 30.0, 20.0)), image)
    assert crop_box(image, (29.9, 19.5, 40.0, 40.0)).shape == (3, 1, 1)
    assert crop_box(image, (5.0, 5.0, 5.0, 5.0)).shape == (3, 1, 1)
    assert crop_box(image, (-9.0, -9.0, -2.0, -2.0)).shape == (3, 1, 1)


def test_unknown_names_are_refused():
    with pytest.raises(UserError, match="model.crop=round is not known"):
        check_crop("round")


def test_one_side_is_a_number_and_several_are_in_order():
    assert (canonical_size(32), canonical_size([32]), canonical_size([48, 32])) == (32, 32, (32, 48))
    assert sizes_of(32) == (32,) and sizes_of([48, 32, 40]) == (32, 40, 48)
    assert (in_words(32), in_words((32, 48)), in_words((32, 40, 48))) == ("32", "32 and 48", "32, 40 and 48")


@pytest.mark.parametrize("wrong", [0, [], [32, 32], [32, -1], [32.5]])
def test_sides_that_are_none(wrong):
    with pytest.raises(UserError, match="input_size is a number of pixels, or several different ones"):
        canonical_size(wrong)
