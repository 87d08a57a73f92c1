"""Detection figures against values worked out by hand."""

import math

import pytest
import torch

from densecap.metrics.detection import (
    average_precision,
    found_truths,
    interpolated_precision,
    proposal_recall,
    proposal_recall_table,
)
from densecap.ops.boxes import box_iou

TRUTH = torch.tensor([[0.0, 0, 10, 10], [20, 20, 30, 30]])


def test_recall_counts_truths_not_proposals():
    proposals = [torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [20, 20, 30, 26]]), torch.zeros(0, 4)]
    truth = [TRUTH, torch.tensor([[0.0, 0, 5, 5]])]
    assert proposal_recall(proposals, truth, 0.5) == pytest.approx(2 / 3)
    assert proposal_recall(proposals, truth, 0.7) == pytest.approx(1 / 3)
    assert math.isnan(proposal_recall([], [], 0.5))


def test_the_recall_table_counts_only_the_first_proposals():
    far = torch.tensor([[100.0, 100, 101, 101]]).repeat(150, 1)
    proposals = torch.cat((far, TRUTH[:1], far, torch.tensor([[20.0, 20, 30, 28]])))
    table = proposal_recall_table([proposals, torch.zeros(0, 4)], [TRUTH, torch.zeros(0, 4)])
    assert table.tolist() == [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0.5]]
    last = proposal_recall_table([proposals], [TRUTH], counts=(302, 1000))
    assert last.tolist() == [[1, 1, 0.5], [1, 1, 0.5]]
    assert proposal_recall_table([], []).isnan().all()
    assert found_truths(torch.zeros(0, 4), TRUTH).sum() == 0


def test_the_recall_table_equals_one_count_at_a_time():
    generator = torch.Generator().manual_seed(0)
    boxes = torch.rand(40, 4, generator=generator) * 50
    boxes[:, 2:] += boxes[:, :2]
    truth, proposals = boxes[:15], boxes[15:] * 0.3 + boxes[:25] * 0.7
    table = proposal_recall_table([proposals], [truth], (1, 5, 20, 99), (0.3, 0.6))
    for row, count in zip(table, (1, 5, 20, 99)):
        best = box_iou(truth, proposals[:count]).amax(dim=1)
        assert row.tolist() == pytest.approx([float((best >= t).double().mean()) for t in (0.3, 0.6)])


def test_perfect_detections_score_one():
    assert average_precision([TRUTH], [torch.tensor([0.2, 0.9])], [TRUTH], 0.5) == 1.0


def test_a_second_box_on_a_claimed_truth_is_false():
    """Ranked: hit, duplicate (false), hit: precision 1 up to recall .5, then 2/3; 51 and 50 of the 101 levels."""
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9.5], [20, 20, 30, 30]])
    value = average_precision([boxes], [torch.tensor([0.9, 0.8, 0.7])], [TRUTH], 0.5)
    assert value == pytest.approx((51 * 1 + 50 * 2 / 3) / 101)


def test_ranking_runs_over_all_images():
    """A false box that outranks everything in another image halves precision for every recall level reached."""
    empty = torch.zeros(0, 4)
    value = average_precision(
        [TRUTH[:1], torch.tensor([[50.0, 50, 60, 60]])],
        [torch.tensor([0.5]), torch.tensor([0.9])],
        [TRUTH, empty],
        0.5,
    )
    assert value == pytest.approx(51 * 0.5 / 101)


def test_below_the_threshold_nothing_is_claimed():
    boxes = torch.tensor([[0.0, 0, 10, 4], [0, 0, 10, 10]])
    value = average_precision([boxes], [torch.tensor([0.9, 0.1])], [TRUTH[:1]], 0.5)
    assert value == pytest.approx(0.5)


def test_nothing_found_and_nothing_to_find():
    assert average_precision([torch.zeros(0, 4)], [torch.zeros(0)], [TRUTH], 0.5) == 0.0
    assert math.isnan(average_precision([TRUTH], [torch.ones(2)], [torch.zeros(0, 4)], 0.5))
    assert interpolated_precision(torch.tensor([1.0], dtype=torch.float64), 4) == pytest.approx(26 / 101)
