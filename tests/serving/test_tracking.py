"""Numbers stay with what they were given to, and captions as long as what they are about looks the same."""

import pytest
import torch

from densecap.serving.tracking import Tracker, TrackingSettings


def boxes(*rows) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


A, B = [0, 0, 10, 10], [50, 50, 80, 80]


def moved(box, by: float) -> list[float]:
    return [value + by for value in box]


def follow(tracker: Tracker, found: torch.Tensor, codes: torch.Tensor | None = None, caption: str = "x") -> tuple:
    """The numbers of the boxes and the rows that wanted a caption, which they get."""
    codes = torch.ones(len(found), 3) if codes is None else codes
    tracks = tracker.follow(found)
    wanted = tracker.undescribed(tracks, codes)
    for row in wanted:
        tracks[row].learn(caption, -1.0, codes[row])
    return [track.number for track in tracks], wanted


def test_numbers_follow_boxes_in_any_order_while_they_move() -> None:
    tracker = Tracker()
    assert follow(tracker, boxes(A, B)) == ([1, 2], [0, 1])
    for step in range(1, 6):
        numbers, _ = follow(tracker, boxes(moved(B, 3 * step), moved(A, 2 * step)))
        assert numbers == [2, 1]
    assert follow(tracker, boxes([200, 0, 220, 9]))[0] == [3]


def test_each_box_has_a_number_of_its_own() -> None:
    tracker = Tracker()
    follow(tracker, boxes(A))
    numbers, _ = follow(tracker, boxes([0, 0, 10, 9], A, [0, 0, 9, 10]))
    assert numbers == [2, 1, 3], "the largest overlap takes the number"


def test_a_thing_may_be_missing_for_some_frames() -> None:
    tracker = Tracker(TrackingSettings(patience=2))
    follow(tracker, boxes(A, B))
    for _ in range(2):
        assert follow(tracker, boxes(B))[0] == [2]
    assert follow(tracker, boxes(A, B))[0] == [1, 2]
    for _ in range(3):
        follow(tracker, boxes(B))
    assert follow(tracker, boxes(A, B))[0] == [3, 2]


def test_captions_are_asked_for_once_while_nothing_changes() -> None:
    tracker = Tracker(TrackingSettings(lifetime=100))
    wanted = [follow(tracker, boxes(A, B))[1] for _ in range(50)]
    assert wanted == [[0, 1], *[[]] * 49]


def test_what_moved_or_looks_different_is_described_again() -> None:
    tracker = Tracker(TrackingSettings(moved=0.5, changed=0.5))
    codes = torch.tensor([[3.0, 4.0], [0.0, 1.0]])
    follow(tracker, boxes(A, B), codes)
    near = codes + torch.tensor([[0.0, 2.0], [0.0, 0.4]])
    assert follow(tracker, boxes(A, B), near)[1] == []
    far = codes + torch.tensor([[0.0, 2.6], [0.0, 0.0]])
    assert follow(tracker, boxes(A, B), far)[1] == [0]
    wanted = [follow(tracker, boxes(A, moved(B, 3.0 * step)), codes)[1] for step in range(1, 4)]
    assert wanted == [[], [1], []], (
        "B moves by a tenth of its sides a frame: overlaps 0.68, 0.47, then 0.68 with where it was described"
    )


def test_old_captions_are_renewed_a_few_a_frame() -> None:
    tracker = Tracker(TrackingSettings(lifetime=10))
    many = boxes(*[[20 * index, 0, 20 * index + 10, 10] for index in range(20)])
    counts = [len(follow(tracker, many)[1]) for _ in range(32)]
    assert counts[0] == 20 and max(counts[1:]) == 2 and sum(counts[1:]) == 2 * 20


def test_no_boxes_are_no_trouble() -> None:
    tracker = Tracker()
    assert follow(tracker, boxes()) == ([], [])
    assert follow(tracker, boxes(A)) == ([1], [0])
    assert follow(tracker, boxes()) == ([], [])
    assert follow(tracker, boxes(A)) == ([1], [])


def test_boxes_that_somebody_drew_keep_their_places() -> None:
    tracker = Tracker()
    overlapping = boxes(A, A, B)
    for _ in range(2):
        assert [track.number for track in tracker.fixed(overlapping)] == [1, 2, 3]
    tracks = tracker.fixed(boxes(B))
    assert [track.number for track in tracks] == [1] and tracks[0].caption is None


@pytest.mark.parametrize("count", [1, 7])
def test_following_is_the_same_for_any_number(count: int) -> None:
    tracker, found = Tracker(), boxes(*[[20 * index, 0, 20 * index + 10, 10] for index in range(count)])
    order = torch.randperm(count, generator=torch.Generator().manual_seed(1))
    first, _ = follow(tracker, found)
    again, _ = follow(tracker, found[order])
    assert again == [first[index] for index in order.tolist()]
