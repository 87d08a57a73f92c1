"""What became of boxes, where points are lost, and how captions use words: values worked out by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest

from densecap.metrics.caption_use import CaptionUse, usage_gaps, verbatim_share, vocabulary_share
from densecap.metrics.dense_map.analysis import (
    DETECTION_FATES,
    TRUTH_FATES,
    count_fates,
    fates_by_rank,
    image_fates,
    image_mean_ap,
)
from densecap.metrics.dense_map.conventions import CONVENTIONS
from densecap.metrics.dense_map.evaluation import dense_score, judge_images, score_dense_captions
from densecap.metrics.dense_map.geometry import merge_truths, overlaps
from densecap.metrics.dense_map.losses import losses
from densecap.metrics.dense_map.records import DenseRecord
from tests.fakes.evaluation import evaluation, shared_words

SQUARE = (0, 0, 10, 10)


def record(predicted, truth, image_id="1"):
    """``predicted`` of (box, score, caption), ``truth`` of (box, caption)."""
    boxes, scores, captions = zip(*predicted) if predicted else ((), (), ())
    truth_boxes, phrases = zip(*truth) if truth else ((), ())
    return DenseRecord(image_id, 200, 200, np.array(boxes), np.array(scores), captions, np.array(truth_boxes), phrases)


def judged(*records, convention="standard"):
    return judge_images(records, shared_words, [convention])[convention]


def fates_of(record, convention="standard"):
    found = image_fates(record, judged(record, convention=convention)[0], convention)
    return [DETECTION_FATES[fate] for fate in found.detections], [TRUTH_FATES[fate] for fate in found.truths], found


def test_each_fate_of_a_box():
    predicted = [
        (SQUARE, 0.9, "red dog"),
        ((0, 0, 10, 8), 0.8, "red dog"),  # IoU .8 with the truth that is taken
        ((50, 0, 60, 10), 0.7, "no such words"),
        ((100, 0, 110, 10), 0.6, "tree"),  # IoU 4 x 10 of 160: .25
        ((150, 150, 160, 160), 0.5, "tree"),
    ]
    truth = [(SQUARE, "red dog"), ((50, 0, 60, 10), "cat"), ((106, 0, 116, 10), "tree"), ((180, 0, 190, 10), "sky")]
    detections, truths, found = fates_of(record(predicted, truth))
    assert detections == ["right", "duplicate", "wrong words", "poor box", "background"]
    assert truths == ["described", "wrong words", "poor box", "missed"]
    assert found.iou == pytest.approx([1, 0.8, 1, 0.25, 0])
    assert found.claimed.tolist() == [0, -1, 1, -1, -1]
    assert found.meteor[[0, 2]].tolist() == [1, 0] and np.isnan(found.meteor[[1, 3, 4]]).all()


def test_a_truth_whose_box_fits_its_neighbour_better():
    # IoU of the truths 10 x 6 of 140, of the box 10 x 9 of 110 with the first and 10 x 7 of 130 with the second.
    truth = [(SQUARE, "dog"), ((4, 0, 14, 10), "cat")]
    detections, truths, _ = fates_of(record([((1, 0, 11, 10), 0.9, "dog")], truth))
    assert detections == ["right"] and truths == ["described", "neighbour"]


def test_the_better_scored_box_claims_whatever_the_order():
    predicted = [(SQUARE, 0.2, "dog"), ((0, 0, 10, 9), 0.9, "dog")]
    assert fates_of(record(predicted, [(SQUARE, "dog")]))[0] == ["duplicate", "right"]


def test_words_count_as_wrong_at_the_threshold_itself():
    only = record([(SQUARE, 0.9, "dog")], [(SQUARE, "dog")])
    for meteor, fate in ((0.15, "wrong words"), (0.1501, "right")):
        image = replace(judged(only)[0], meteor=np.array([meteor]))
        assert DETECTION_FATES[image_fates(only, image, "standard").detections[0]] == fate


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("truth", [[], [(SQUARE, "dog")], [((5, 5, 5, 9), "of zero width")]])
@pytest.mark.parametrize("predicted", [[], [(SQUARE, 0.5, "cat")], [((3, 3, 3, 3), 0.5, "")]])
def test_nothing_predicted_or_nothing_true(convention, truth, predicted):
    detections, truths, found = fates_of(record(predicted, truth), convention)
    assert len(detections) == len(predicted) and len(truths) == len(found.groups)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_right_boxes_and_described_truths_are_as_many(convention):
    found = evaluation(20, pictures=False)
    told = [image_fates(*pair, convention) for pair in zip(found.records, found.judged[convention])]
    detections, truths = count_fates(told)
    assert detections[:2].tolist() == truths[:2].tolist()
    assert detections.sum() == sum(len(one.boxes) for one in found.records)
    assert truths.sum() == found.scores[convention].num_truths
    assert fates_by_rank(found.records, told, (1, 2, 3, 10)).sum(axis=0).tolist() == detections.tolist()


def test_fates_by_rank():
    one = record([(SQUARE, 0.1, "dog"), ((50, 50, 60, 60), 0.9, "dog")], [(SQUARE, "dog")])
    told = image_fates(one, judged(one)[0], "standard")
    right, nothing = np.eye(5, dtype=int)[[0, 4]].tolist()
    assert fates_by_rank([one, one], [told, told], (1, 2)).tolist() == [
        [2 * n for n in nothing],
        [2 * n for n in right],
    ]


def losses_of(*records):
    images = judged(*records)
    return losses(dense_score(images, "standard"), images)


def test_perfect_predictions_lose_nothing():
    found = losses_of(record([(SQUARE, 0.9, "dog")], [(SQUARE, "dog")]))
    assert found.score == 1
    assert [found.language, found.localization, found.false_alarms, found.missed] == [0, 0, 0, 0]


def test_wrong_words_are_lost_to_language_alone():
    found = losses_of(record([(SQUARE, 0.9, "cat")], [(SQUARE, "dog")]))
    assert [found.score, found.language, found.localization, found.missed] == [0, 1, 0, 0]


def test_a_poor_box_is_lost_to_localization_alone():
    """IoU .45 counts at .3 and .4 only: two rows of five."""
    found = losses_of(record([((0, 0, 10, 4.5), 0.9, "dog")], [(SQUARE, "dog")]))
    assert [found.score, found.with_boxes] == pytest.approx([0.4, 1])
    assert [found.language, found.localization] == pytest.approx([0, 0.6])


def test_wrong_words_in_a_poor_box_are_lost_to_both():
    """Nothing is gained by boxes alone, .4 by words alone, 1 by both: words (.4 + 1) / 2, boxes (0 + .6) / 2."""
    found = losses_of(record([((0, 0, 10, 4.5), 0.9, "cat")], [(SQUARE, "dog")]))
    assert [found.language, found.localization] == pytest.approx([0.7, 0.3])


def test_a_false_alarm_before_the_hit_and_a_missed_truth():
    """Precision is 1/2 up to recall 1/2, which are 51 of 101 levels."""
    predicted = [((50, 50, 60, 60), 0.9, "dog"), (SQUARE, 0.8, "dog")]
    found = losses_of(record(predicted, [(SQUARE, "dog"), ((100, 100, 110, 110), "cat")]))
    assert found.score == pytest.approx(51 / 202)
    assert found.false_alarms == pytest.approx(51 / 202) and found.missed == pytest.approx(50 / 101)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_parts_make_the_whole(convention):
    found = evaluation(20, pictures=False)
    lost = losses(found.scores[convention], found.judged[convention])
    parts = [lost.score, lost.language, lost.localization, lost.false_alarms, lost.missed]
    assert sum(parts) == pytest.approx(1)
    assert all(part > 0 for part in parts)  # predictions spoilt in all these ways


def test_oracles_are_what_perfect_predictions_would_score():
    """The predictions themselves made perfect, one way after the other, and scored again."""
    found = evaluation(20, pictures=False)
    lost = losses(found.scores["standard"], found.judged["standard"])
    snapped = [on_their_truths(record) for record in found.records]
    hits = [only(record, image) for record, image in zip(snapped, found.judged["standard"])]
    for oracle, records, scorer in (
        (lost.with_words, found.records, all_right),
        (lost.with_boxes, snapped, shared_words),
        (lost.with_both, snapped, all_right),
        (lost.without_false_alarms, hits, all_right),
    ):
        assert score_dense_captions(records, scorer, ["standard"])["standard"].mean_ap == pytest.approx(oracle)


def all_right(pairs):
    return [1.0] * len(pairs)


def on_their_truths(record):
    """Boxes with IoU >= .3 moved onto the merged truth they overlap most."""
    merged, _ = merge_truths(record.truth_boxes)
    iou = overlaps(record.boxes, merged)
    near = iou.max(axis=1, initial=0) >= 0.3
    return replace(record, boxes=np.where(near[:, None], merged[iou.argmax(axis=1)], record.boxes))


def only(record, image):
    """Nothing but the boxes that claim a truth at IoU .3."""
    rows = image.matches.detection[image.matches.claims[0]]
    words = [record.captions[row] for row in rows]
    return replace(record, boxes=record.boxes[rows], scores=record.scores[rows], captions=words)


def test_losses_without_truths_are_not_defined():
    assert math.isnan(losses_of(record([(SQUARE, 0.9, "dog")], [])).language)


def test_one_image_alone():
    """Right at IoU .45: two rows of five. Of an image without truths nothing can be said."""
    images = judged(record([((0, 0, 10, 4.5), 0.9, "dog")], [(SQUARE, "dog")]), record([(SQUARE, 0.9, "dog")], []))
    assert image_mean_ap(images[0], "standard") == pytest.approx(0.4)
    assert math.isnan(image_mean_ap(images[1], "standard"))


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_one_image_alone_is_a_split_of_one_image(convention):
    images = evaluation(12, pictures=False).judged[convention]
    images += judged(record([], [(SQUARE, "dog")]), record([(SQUARE, 0.5, "dog")], []), convention=convention)
    expected = [dense_score([image], convention).mean_ap for image in images]
    assert [image_mean_ap(image, convention) for image in images] == pytest.approx(expected, nan_ok=True)
    assert len({round(value, 6) for value in expected}) > 8


def test_use_of_words():
    predicted = CaptionUse.of(["a dog", "a  dog", "A dog!", "the cat sat", ""])
    truth = CaptionUse.of(["a dog", "two birds"])
    assert predicted.num_captions == 5 and predicted.captions["a dog"] == 2
    assert predicted.distinct_share == 4 / 5
    assert predicted.lengths == {2: 3, 3: 1, 0: 1} and predicted.mean_length == 9 / 5
    assert predicted.words == {"a": 3, "dog": 3, "the": 1, "cat": 1, "sat": 1}
    assert vocabulary_share(predicted, truth) == 2 / 4
    assert verbatim_share(predicted, truth) == 3 / 5  # without regard to case and punctuation
    gaps = usage_gaps(predicted, truth)
    assert [word for word, *_ in gaps[:3]] == ["cat", "sat", "the"]  # 111 more among 1,000, a and dog 83
    assert gaps[-1] == ("two", 0, 250)


def test_use_of_words_without_any():
    nothing, something = CaptionUse.of([]), CaptionUse.of(["a dog"])
    assert math.isnan(nothing.distinct_share) and math.isnan(nothing.mean_length)
    assert math.isnan(vocabulary_share(something, nothing)) and math.isnan(verbatim_share(nothing, something))
    assert usage_gaps(nothing, nothing) == []
