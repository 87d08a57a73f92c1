"""Box arithmetic against hand-computed fractions and the original's test vectors."""

import pytest
import torch

from densecap.ops.boxes import (
    apply_transforms,
    box_iou,
    clip_boxes,
    cxcywh_from_xyxy,
    invert_transforms,
    xyxy_from_cxcywh,
)
from densecap.ops.clip_2016 import clip_boxes_2016


def centred(*boxes):
    return xyxy_from_cxcywh(torch.tensor(boxes, dtype=torch.float64))


def inclusive(*boxes):
    """Boxes (xc, yc, w, h) counted from 1 with inclusive corners, as the original has them, on our corners."""
    return centred(*boxes) - 0.5


def test_formats_are_inverse():
    boxes = torch.tensor([[1.0, 2.0, 5.0, 10.0], [-3.0, 0.0, 4.0, 0.5]])
    assert torch.equal(cxcywh_from_xyxy(boxes)[0], torch.tensor([3.0, 6.0, 4.0, 8.0]))
    assert torch.allclose(xyxy_from_cxcywh(cxcywh_from_xyxy(boxes)), boxes)


def test_transforms_give_the_original_vectors():
    boxes = centred((10, 20, 30, 40), (-30, 50, 100, 200))
    transforms = torch.tensor([[0.5, -0.2, 0, 2], [0, -0.5, 0.5, 1.1]], dtype=torch.float64)
    transforms[:, 2:] = torch.tensor([[1, 2], [0.5, 1.1]], dtype=torch.float64).log()
    expected = torch.tensor([[25, 12, 30, 80], [-30, -50, 50, 220]], dtype=torch.float64)
    assert torch.allclose(cxcywh_from_xyxy(apply_transforms(boxes, transforms)), expected, atol=1e-5)


def test_apply_and_invert_are_inverse_and_differentiable():
    generator = torch.Generator().manual_seed(0)
    boxes = xyxy_from_cxcywh(torch.rand(5, 4, generator=generator, dtype=torch.float64) * 50 + 20)
    targets = xyxy_from_cxcywh(torch.rand(5, 4, generator=generator, dtype=torch.float64) * 50 + 20)
    assert torch.allclose(apply_transforms(boxes, invert_transforms(boxes, targets)), targets, atol=1e-9)
    boxes.requires_grad_()
    targets.requires_grad_()
    assert torch.autograd.gradcheck(invert_transforms, (boxes, targets))
    assert torch.autograd.gradcheck(
        apply_transforms, (boxes, torch.rand(5, 4, dtype=torch.float64, requires_grad=True))
    )


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([(10, 10, 10, 10)], [(15, 15, 10, 10)], [[25 / 175]]),
        ([(10, 10, 5, 5)], [(15, 15, 5, 5)], [[0]]),
        (
            [(2, 4, 2, 6), (5, 7.5, 2, 5)],
            [(5, 8, 4, 2), (4.5, 4.5, 5, 3), (4.5, 0, 5, 4)],
            [[0, 3 / 24, 1 / 31], [4 / 14, 2 / 23, 0]],
        ),
        (
            [(4, 2, 2, 6), (6, -2, 2, 2)],
            [(4, 2, 4, 2), (4.5, -1, 3, 2), (6, -2, 4, 4)],
            [[1 / 4, 1 / 8, 1 / 27], [0, 1 / 9, 1 / 4]],
        ),
    ],
)
def test_overlap_in_continuous_coordinates(first, second, expected):
    assert torch.allclose(box_iou(centred(*first), centred(*second)), torch.tensor(expected, dtype=torch.float64))


def test_biased_overlap_of_2016():
    box = centred((10, 10, 10, 10))
    assert box_iou(box, box, shrink=1).item() == pytest.approx(81 / 119)
    assert box_iou(box, centred((15, 15, 10, 10)), shrink=1).item() == pytest.approx(16 / 184)


def test_empty_boxes_overlap_nothing():
    empty = torch.tensor([[3.0, 3.0, 3.0, 3.0]])
    assert box_iou(empty, empty).item() == 0
    assert box_iou(torch.zeros(0, 4), empty).shape == (0, 1)


def test_clip():
    boxes = torch.tensor([[-5.0, 2.0, 30.0, 8.0], [50.0, 50.0, 60.0, 60.0]])
    assert clip_boxes(boxes, height=10, width=20).tolist() == [[0, 2, 20, 8], [20, 10, 20, 10]]


def test_clip_of_2016_keeps_slivers_and_loses_a_pixel():
    """The rule on inclusive corners: clamp to [1, W-1] and [2, W], then width = x2 - x1."""
    boxes = inclusive((50, 40, 20, 10), (-30, 40, 20, 10), (100, 80, 50, 50))
    clipped, valid = clip_boxes_2016(boxes, height=80, width=100)
    back = cxcywh_from_xyxy(clipped) + torch.tensor([0.5, 0.5, 0, 0])
    assert back[0].tolist() == [50, 40, 19, 9]
    assert back[1].tolist() == [1.5, 40, 1, 9]
    assert valid.tolist() == [True, True, True]
    assert back[2].tolist() == [(75.5 + 100) / 2, (55.5 + 80) / 2, 24.5, 24.5]
