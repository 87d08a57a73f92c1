"""The 2016 box encoding against vectors computed from the released code, and against its rule in plain Python."""

import math
import random

import pytest
import torch

from densecap.ops.box_encoding_2016 import encode_boxes_2016, xyxy_from_encoded_2016

# width, height of the image; x, y, width, height; size 720 -> xc, yc, w, h
VECTORS = [
    ((800, 600), (100, 50, 200, 120), (180, 99, 180, 108)),
    ((800, 600), (0, 0, 800, 600), (360, 271, 719, 540)),
    ((500, 375), (421, 91, 82, 139), (663, 231, 114, 200)),
    ((1280, 960), (1270, 955, 30, 30), (717, 546, 5, 17)),
]


@pytest.mark.parametrize(("image", "row", "encoded"), VECTORS)
def test_vectors_of_the_released_code(image: tuple, row: tuple, encoded: tuple) -> None:
    width, height = image
    assert encode_boxes_2016(torch.tensor([row]), height, width).tolist() == [list(encoded)]


def slow_encoding(row: tuple, height: int, width: int, size: int) -> list[int]:
    def round_half_away(value: float) -> int:
        return int(math.copysign(math.floor(abs(value) + 0.5), value))

    scale = size / max(height, width)
    x, y = (min(max(round_half_away(scale * (v - 1) + 1), 1), size - 1) for v in row[:2])
    w, h = (round_half_away(scale * v) for v in row[2:])
    w = size - x if x + w > size else w
    h = size - y if y + h > size else h
    return [x + w // 2, y + h // 2, w, h]


def test_random_rows_against_plain_python() -> None:
    numbers = random.Random(0)
    for _ in range(300):
        height, width, size = numbers.randint(50, 1300), numbers.randint(50, 1300), numbers.choice([144, 720])
        row = (
            numbers.randint(-3, width),
            numbers.randint(-3, height),
            numbers.randint(0, 999),
            numbers.randint(0, 999),
        )
        got = encode_boxes_2016(torch.tensor([row]), height, width, size)
        assert got.tolist() == [slow_encoding(row, height, width, size)]


def test_no_boxes() -> None:
    assert encode_boxes_2016(torch.zeros(0, 4), 600, 800).shape == (0, 4)
    assert xyxy_from_encoded_2016(torch.zeros(0, 4, dtype=torch.int64)).shape == (0, 4)


def test_back_to_continuous_pixels() -> None:
    # Columns 1 to 4 (1-indexed) are the span 0..4; the centre 2.5 is stored as 1 + 4 // 2 = 3, half a pixel off.
    assert xyxy_from_encoded_2016(torch.tensor([[3, 3, 4, 4]])).tolist() == [[0.5, 0.5, 4.5, 4.5]]
    # An odd side is exact: columns 1 to 5 are 0..5.
    assert xyxy_from_encoded_2016(torch.tensor([[3, 3, 5, 5]])).tolist() == [[0.0, 0.0, 5.0, 5.0]]


def test_the_encoding_is_at_most_two_pixels_off_the_scaled_box() -> None:
    row = torch.tensor([[100, 50, 200, 120]])
    exact = torch.tensor([[99.0, 49.0, 299.0, 169.0]]) * 0.9  # x = 100, 1-indexed, begins at 99
    assert (xyxy_from_encoded_2016(encode_boxes_2016(row, 600, 800)) - exact).abs().max() <= 2
