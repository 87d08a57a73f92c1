"""The sampler against the original's test vectors (in the continuous convention its tests were written for)."""

import torch

from densecap.ops.boxes import xyxy_from_cxcywh
from densecap.ops.sampling import _label, sample_regions

BOXES = xyxy_from_cxcywh(
    torch.tensor(
        [
            [-4, 6, 4, 4], [-6.5, 1.5, 2, 6], [-4.5, -0.5, 6, 6], [-6.5, -6.5, 3, 3], [-0.5, -7.5, 3, 3],
            [7.5, -5.5, 3, 5], [5.5, -3, 6, 3], [4.5, 2, 3, 7], [6.5, 5, 6, 3], [4, 5, 3, 5],
        ]
    )
)  # fmt: skip
TRUTH = xyxy_from_cxcywh(torch.tensor([[-6.5, 1.5, 3, 7], [4.5, 4.5, 3, 5], [5, -2.5, 6, 3]]))


def bits(mask):
    return "".join(str(int(value)) for value in mask)


def test_masks_of_the_original_vectors():
    positive, _, negative = _label(BOXES, TRUTH, 0.4, 0.2, None, False)
    assert bits(positive) == "0100001101"
    assert bits(negative) == "1001110000"
    positive, _, negative = _label(BOXES, TRUTH, 0.4, 0.2, None, True)
    assert bits(positive) == "0100001001"
    assert bits(negative) == "1011110110"


def test_boxes_outside_are_only_chosen_by_force():
    outside = torch.zeros(10, dtype=torch.bool)
    outside[[1, 4, 7]] = True
    positive, _, negative = _label(BOXES, TRUTH, 0.4, 0.2, outside, False)
    assert bits(positive) == "0100001001"  # box 2 is the best of the first truth, box 8 is merely good
    assert bits(negative) == "1001010000"


def test_a_truth_below_the_threshold_forces_its_best_box():
    boxes = xyxy_from_cxcywh(torch.tensor([[4.0, 8, 2, 2], [6.5, 5, 3, 2], [3.5, 1, 3, 4], [8, 8, 2, 2]]))
    truth = xyxy_from_cxcywh(torch.tensor([[4.5, 4, 3, 4]]))
    positive, assigned, _ = _label(boxes, truth, 0.7, 0.05, None, False)
    assert bits(positive) == "0100" and assigned[1] == 0  # IoU .125


def test_a_forced_box_belongs_to_the_truth_that_forced_it():
    """One box is the best of two truths' candidates; each truth keeps a box of its own when it has one."""
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 30]])
    truth = torch.tensor([[0.0, 0, 10, 12], [0, 0, 10, 16], [0, 2, 10, 30]])
    positive, assigned, _ = _label(boxes, truth, 0.9, 0.1, None, False)
    assert bits(positive) == "11"
    assert assigned[1] == 2 and assigned[0] in (0, 1)
    _, original, _ = _label(boxes, truth, 0.9, 0.1, None, True)
    assert original.tolist() == [0, 2]


def test_complement_when_no_negatives_remain():
    boxes = xyxy_from_cxcywh(torch.tensor([[3.0, 10, 2, 2], [7, 6.5, 4, 3], [8, 1.5, 2, 3], [10, 2.5, 2, 3]]))
    truth = xyxy_from_cxcywh(torch.tensor([[6, 5.5, 4, 3], [9, 1.5, 2, 3]]))
    outside = torch.tensor([True, False, False, True])
    sample = sample_regions(boxes, truth, size=4, high=0.25, low=0.3, outside=outside)
    assert sorted(sample.positive.tolist()) == [1, 2]
    assert set(sample.negative.tolist()) <= {0, 3} and len(sample.negative) == 2


def test_negatives_fill_up_to_the_size_with_repetition():
    sample = sample_regions(BOXES, TRUTH, size=64, high=0.4, low=0.2)
    assert len(sample.positive) + len(sample.negative) == 64
    assert len(sample.positive) == 4 and sample.truth.tolist() == [0, 2, 1, 1]
    assert set(sample.negative.tolist()) == {0, 3, 4, 5}


def test_at_most_half_are_positive_and_the_generator_decides():
    generator = torch.Generator().manual_seed(1)
    first = sample_regions(BOXES, TRUTH, size=4, high=0.4, low=0.2, generator=generator)
    again = sample_regions(BOXES, TRUTH, size=4, high=0.4, low=0.2, generator=torch.Generator().manual_seed(1))
    assert len(first.positive) == 2 and len(first.negative) == 2
    assert all(torch.equal(a, b) for a, b in zip(first, again))


def test_without_truth_everything_is_negative():
    sample = sample_regions(BOXES, torch.zeros(0, 4), size=8)
    assert len(sample.positive) == 0 and len(sample.truth) == 0 and len(sample.negative) == 8
