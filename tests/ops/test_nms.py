"""Suppression against the original's vectors and against a slow reading of the rule."""

import pytest
import torch

from densecap.ops.boxes import box_iou
from densecap.ops.nms import nms

# Inclusive corners of the original's test; continuous corners begin a pixel earlier.
ORIGINAL = torch.tensor(
    [
        [-12, 3, -7, 9],
        [-9, 7, -4, 13],
        [-8, 8, -3, 14],
        [3.5, 4.5, 8.5, 12.5],
        [-6, -6, -1, -1],
        [4, 5, 9, 13],
        [4.5, 5.5, 9.5, 13.5],
    ]
) - torch.tensor([1.0, 1.0, 0.0, 0.0])


@pytest.mark.parametrize(
    ("scores", "threshold", "kept"),
    [
        ([1, 2, 3, 4, 5, 6, 7], 0.7, [7, 5, 4, 3, 2, 1]),
        ([1, 2, 3, 4, 5, 6, 7], 0.5, [7, 5, 3, 1]),
        ([2.5, 2, 3, 4, 5, 10, 7], 0.7, [6, 5, 3, 1, 2]),
    ],
)
def test_plain_overlap_on_continuous_corners_is_the_original_plus_one(scores, threshold, kept):
    assert (nms(ORIGINAL, torch.tensor(scores, dtype=torch.float32), threshold) + 1).tolist() == kept


def slow_nms(boxes, scores, threshold):
    iou, kept = box_iou(boxes, boxes), []
    for index in scores.argsort(descending=True, stable=True).tolist():
        if all(iou[index, other] <= threshold for other in kept):
            kept.append(index)
    return kept


@pytest.mark.parametrize("limit", [None, 1, 7, 100])
def test_stopping_early_changes_nothing(limit):
    generator = torch.Generator().manual_seed(3)
    corner = torch.rand(2500, 2, generator=generator) * 60
    boxes = torch.cat((corner, corner + 5 + torch.rand(2500, 2, generator=generator) * 40), dim=1)
    scores = (torch.rand(2500, generator=generator) * 50).round()  # with ties
    assert nms(boxes, scores, 0.3, limit).tolist() == slow_nms(boxes, scores, 0.3)[:limit]


def test_no_boxes():
    assert nms(torch.zeros(0, 4), torch.zeros(0), 0.5, 10).tolist() == []
