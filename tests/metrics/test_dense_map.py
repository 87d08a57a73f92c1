"""Dense mAP against loops over numbers, on random and on awkward images, and the vectors of the fact sheet."""

import contextlib
import dataclasses
import gc
import math

import numpy as np
import pytest

from densecap.errors import UserError
from densecap.metrics.dense_map.conventions import CONVENTIONS, METEOR_THRESHOLDS
from densecap.metrics.dense_map.evaluation import DenseScore, JudgedImage, _precision, score_dense_captions
from densecap.metrics.dense_map.geometry import merge_truths, overlaps, truth_boxes_2016
from densecap.metrics.dense_map.matching import lay_out_boxes, match_layout
from densecap.metrics.dense_map.records import DenseRecord, on_truth_boxes
from densecap.text.vocabulary import UNKNOWN, Vocabulary
from tests.metrics import literal_dense_map as literal

NAMES = tuple(CONVENTIONS)
WORDS = ["red", "blue", "dog", "man", "tree", "sky", "small", "large", "on", "the", "of", "wall"]
VOCABULARY = Vocabulary([*WORDS[:9], UNKNOWN])


def word_overlap(caption, references):
    """Stands in for METEOR: at most .3, so that every threshold matters."""
    own = set(caption.split())
    return max(
        (0.3 * len(own & set(text.split())) / len(own | set(text.split()) | {""}) for text in references), default=0
    )


def scorer(pairs):
    return np.array([word_overlap(caption, references) for caption, references in pairs])


def phrase(random):
    return " ".join(random.choice(WORDS, random.integers(0, 5)))


def random_record(random, index, detections=25, truths=12, width=640, height=480):
    corner = random.uniform(0, 1, (truths, 2)) * (width, height) * 0.7
    truth = np.concatenate((corner, corner + random.uniform(5, 150, (truths, 2))), axis=1).round()
    truth[truths // 2 :] = truth[: truths - truths // 2] + random.integers(-3, 4, (truths - truths // 2, 4))
    boxes = truth[random.integers(0, truths, detections)] if truths else np.full((detections, 4), 9.0)
    boxes = boxes + random.normal(0, 1, (detections, 4)) * random.choice([0, 5, 30, 200], detections)[:, None]
    boxes, truth = (np.concatenate((b[:, :2], np.maximum(b[:, :2], b[:, 2:])), axis=1) for b in (boxes, truth))
    scores = random.choice([random.uniform(size=detections), random.integers(0, 4, detections)])
    texts = [phrase(random) for _ in range(truths)]
    captions = [random.choice([*texts, phrase(random)]) for _ in range(detections)]
    return DenseRecord(str(index), width, height, boxes, scores, captions, truth, texts)


def literal_tables(records, name, vocabulary):
    images = []
    for record in records:
        image = record.boxes.tolist(), record.scores.tolist(), record.captions
        truth = record.truth_boxes.tolist(), list(record.truth_captions)
        if name == "densecap2016":
            words = vocabulary.words if vocabulary else None
            images.append(literal.image_2016(*image, *truth, record.width, record.height, words))
        else:
            images.append((*image, *truth))
    table = literal.dense_map(images, name, word_overlap)
    rows = [[table[iou, floor] for floor in literal.SCORES] for iou in literal.OVERLAPS]
    return np.array(rows)  # (5, 7)


def own_tables(score: DenseScore):
    return np.concatenate((score.detection_ap[:, None], score.ap), axis=1)


def assert_same_as_literal(records, vocabulary=None):
    scores = score_dense_captions(records, scorer, vocabulary=vocabulary)
    for name in NAMES:
        expected = literal_tables(records, name, vocabulary)
        np.testing.assert_allclose(own_tables(scores[name]), expected, rtol=0, atol=1e-9, err_msg=name)
        assert scores[name].mean_ap == pytest.approx(expected[:, 1:].mean(), abs=1e-9, nan_ok=True)
    return scores


@pytest.mark.parametrize("seed", range(12))
def test_random_splits_equal_the_loops(seed):
    random = np.random.default_rng(seed)
    sizes = [(640, 480), (375, 500), (1280, 960), (720, 333), (33, 20)]
    records = [
        random_record(random, index, random.integers(0, 40), random.integers(0, 16), *sizes[random.integers(5)])
        for index in range(8)
    ]
    scores = assert_same_as_literal(records, VOCABULARY if seed % 2 else None)
    assert scores["standard"].num_detections == sum(len(record.boxes) for record in records)


BOX = [10.0, 10, 60, 50]
AWKWARD = {
    "no detections": ([], [], [], [BOX, [100, 100, 150, 150]], ["red dog", "blue sky"]),
    "no truth": ([BOX, [0, 0, 5, 5]], [0.5, 0.4], ["red dog", ""], [], []),
    "nothing at all": ([], [], [], [], []),
    "every score the same": ([BOX] * 3 + [[0, 0, 9, 9]], [0.5] * 4, ["dog", "red dog", "", "sky"], [BOX], ["red dog"]),
    "everything overlaps": (
        [[10 + k, 10, 60 + k, 50] for k in range(6)],
        [0.1, 0.9, 0.3, 0.9, 0.2, 0.9],
        ["red dog", "dog", "sky", "red", "blue", "tree"],
        [[10 + k, 10, 60 + k, 50] for k in range(9)],
        [*WORDS[:9]],
    ),
    "duplicates": ([BOX] * 5, [5, 4, 3, 2, 1], ["red"] * 5, [BOX] * 4 + [[200, 200, 240, 260]] * 2, ["red"] * 6),
    "zero area": (
        [[10, 10, 10, 50], [5, 5, 5, 5], BOX],
        [0.9, 0.8, 0.7],
        ["red dog"] * 3,
        [[10, 10, 10, 50], [5, 5, 5, 5], BOX, [8, 8, 90, 8]],
        ["red dog", "dog", "red dog", "sky"],
    ),
    "empty words": ([BOX, [100, 100, 150, 150]], [1, 2], ["", "dog"], [BOX, [100, 100, 150, 150]], ["", ""]),
    "a chain of partners": (
        [[0, 0, 100, 100], [0, 0, 130, 100]],
        [0.5, 0.6],
        ["dog", "man"],
        [[0, 0, 100 + 12 * k, 100] for k in range(8)],
        [*WORDS[:8]],
    ),
    "a stray detection before the only truth": (
        [[300, 300, 310, 310], BOX],
        [0.9, 0.8],
        ["dog", "red dog"],
        [[100, 100, 150, 150], BOX],
        ["sky", "red dog"],
    ),
    "negative logits": ([BOX, [0, 0, 30, 30]], [-3.5, -800.0], ["red dog", "x"], [BOX], ["red dog"]),
    "outside the image": (
        [[-50, -50, 900, 900], [700, 500, 800, 600]],
        [2, 1],
        ["a", "b"],
        [[630, 470, 660, 500]],
        ["a"],
    ),
}


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_images_equal_the_loops(name):
    record = DenseRecord("odd", 640, 480, *AWKWARD[name])
    assert_same_as_literal([record], VOCABULARY)
    assert_same_as_literal([record, random_record(np.random.default_rng(1), 1), record])


def test_an_empty_split_has_no_figures():
    scores = score_dense_captions([], scorer)
    assert all(math.isnan(score.mean_ap) and score.num_images == 0 for score in scores.values())


# Evaluator vectors of the fact sheet: one image, truths and detections in inclusive corners counted from 1.
TRUTHS = np.array([[1, 1, 100, 100], [3, 3, 100, 102], [200, 200, 300, 300]], float)
DETECTIONS = np.array([[1, 1, 100, 100], [10, 10, 100, 100], [210, 210, 300, 300], [400, 400, 450, 450]], float)
SCORES = np.array([0.9, 0.8, 0.7, 0.95])
HEAD = CONVENTIONS["densecap2016"]
METEOR = {0: 1.0, 1: 0.3, 2: 0.12, 3: 0.0}  # of A, B, C, D


def vector_tables(convention):
    matches = match_layout(lay_out_boxes(DETECTIONS, TRUTHS, SCORES, convention.pixel), convention)
    meteor = np.array([METEOR[row] for row in matches.detection.tolist()])
    precision = _precision([JudgedImage("vector", matches, meteor)], convention)
    return DenseScore(convention.name, "", 1, 4, matches.num_truths, precision)


def test_vector_truths_merge_and_overlap():
    iou = overlaps(TRUTHS, TRUTHS, 1.0)
    assert iou[0, 1] == pytest.approx(0.941938, abs=1e-6)
    merged, groups = merge_truths(TRUTHS, 1.0)
    assert merged.tolist() == [[2, 2, 100, 101], [200, 200, 300, 300]]
    assert [members.tolist() for members in groups] == [[0, 1], [2]]
    assert overlaps(DETECTIONS, merged, 1.0).max(axis=1) == pytest.approx([0.970492, 0.836465, 0.811783, 0], abs=1e-6)


def test_vector_figures_with_and_without_the_last_truth_claim():
    assert vector_tables(HEAD).detection_ap == pytest.approx([0.25] * 5)
    exact = dataclasses.replace(HEAD, recall_levels=CONVENTIONS["standard"].recall_levels)
    assert vector_tables(exact).detection_ap == pytest.approx([0.252475] * 5, abs=1e-6)
    without = vector_tables(dataclasses.replace(HEAD, claims_last_truth=False))
    assert without.detection_ap == pytest.approx([0.5] * 5)
    for score, value in {0: 0.5, 0.1: 0.5, 0.15: 0.25, 0.25: 0.25}.items():
        assert without.ap[:, METEOR_THRESHOLDS.index(score)] == pytest.approx([value] * 5)


def test_recall_levels():
    assert len(HEAD.recall_levels) == 100
    assert HEAD.recall_levels[50] == 0.5000000000000002
    assert HEAD.recall_levels[-1] == 0.9900000000000007
    assert CONVENTIONS["densecap_pytorch"].recall_levels[-1] == 0.99
    assert len(CONVENTIONS["standard"].recall_levels) == 101


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ((800, 600, 100, 50, 200, 120), (180, 99, 180, 108)),
        ((800, 600, 0, 0, 800, 600), (360, 271, 719, 540)),
        ((500, 375, 421, 91, 82, 139), (663, 231, 114, 200)),
        ((1280, 960, 1270, 955, 30, 30), (717, 546, 5, 17)),
    ],
)
def test_vectors_of_the_box_encoding(row, expected):
    width, height, x, y, w, h = row
    boxes = truth_boxes_2016(np.array([[x, y, x + w, y + h]], float), width, height)
    xc, yc, w, h = expected
    assert boxes[0].tolist() == [xc - (w - 1) / 2, yc - (h - 1) / 2, xc + (w - 1) / 2, yc + (h - 1) / 2]


def test_words_are_judged_only_where_a_box_may_be_right():
    """One pair per claimed truth at most, however many detections; scoring all changes nothing."""
    random = np.random.default_rng(4)
    records = [random_record(random, index, 200, 10) for index in range(5)]
    asked = []

    def counting(pairs):
        asked.append(len(pairs))
        return scorer(pairs)

    score_dense_captions(records, counting, ("densecap2016",))
    assert len(asked) == 1
    assert asked[0] <= sum(len(record.truth_boxes) for record in records)


def test_strictly_above_the_language_threshold():
    record = DenseRecord("a", 100, 100, [[0, 0, 50, 50]], [1], ["dog"], [[0, 0, 50, 50]], ["dog"])
    score = score_dense_captions([record], lambda pairs: np.full(len(pairs), 0.1), ("standard",))["standard"]
    assert score.ap[0].tolist() == [1, 1, 0, 0, 0, 0]
    assert score.figures()["AP_iou0.3_meteor0.05"] == 1.0
    assert score.figures()["AP_iou0.3_meteor0.1"] == 0.0
    assert len(score.figures()) == 37


def test_references_are_mapped_only_where_the_convention_says_so():
    record = DenseRecord("a", 100, 100, [[0, 0, 50, 50]], [1], ["dog"], [[0, 0, 50, 50]], ["The DOG's gleaming wall!"])
    seen = {}
    for name in NAMES:
        scores = score_dense_captions([record], lambda p, n=name: seen.setdefault(n, p) and [1.0], (name,), VOCABULARY)
        assert scores[name].references == ("mapped to the vocabulary" if name == "densecap2016" else "as annotated")
    vocabulary_free = score_dense_captions([record], lambda pairs: [1.0], ("densecap2016",))["densecap2016"]
    assert vocabulary_free.references == "as annotated"
    assert seen["densecap2016"] == [("dog", ["<UNK> <UNK> <UNK> <UNK>"])]
    assert seen["standard"] == [("dog", ["The DOG's gleaming wall!"])]


def test_bars_and_line_breaks_in_captions():
    record = DenseRecord("a", 100, 100, [[0, 0, 50, 50]], [1], ["a|||\n dog"], [[0, 0, 50, 50]], ["a\r\ndog ||| there"])
    seen = []
    score_dense_captions([record], lambda pairs: seen.extend(pairs) or [1.0], ("standard",))
    assert seen == [("a dog", ["a dog there"])]


def test_captions_of_true_boxes_find_every_place():
    random = np.random.default_rng(2)
    record = random_record(random, 0, truths=6)
    given = on_truth_boxes(record, record.truth_captions)
    score = score_dense_captions([given], scorer, ("standard",))["standard"]
    merged, _ = merge_truths(record.truth_boxes)
    assert score.num_truths == len(merged)
    assert score.num_detections == len(record.truth_boxes)
    assert score.ap[0, 0] > 0


def make(**changes):
    fields = {"boxes": [[0, 0, 5, 5]], "scores": [0.5], "captions": ["dog"], "truth_boxes": [[0, 0, 5, 5]]}
    return DenseRecord("img_7", 10, 10, **{**fields, "truth_captions": ["dog"], **changes})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scores": [math.nan]}, ["img_7", "score 0", "nan"]),
        ({"scores": [0.5, 0.5]}, ["img_7", "1 boxes but 2 scores"]),
        ({"boxes": [[5, 0, 4, 5]]}, ["img_7", "box 0", "x2 >= x1"]),
        ({"boxes": [[0, 0, math.inf, 5]]}, ["img_7", "box 0", "finite"]),
        ({"truth_boxes": [[0, 0, 5, -1]]}, ["img_7", "truth box 0"]),
        ({"boxes": [[0, 0, 5]]}, ["img_7", "shape (1, 3)"]),
        ({"captions": [None]}, ["img_7", "caption 0", "None"]),
    ],
)
def test_wrong_records_are_refused_in_a_sentence(changes, words):
    with pytest.raises(UserError) as error:
        make(**changes)
    assert all(word in str(error.value) for word in words)


def test_a_wrong_size_or_convention_is_refused():
    with pytest.raises(UserError, match="img_7 needs a size"):
        dataclasses.replace(make(), width=0)
    with pytest.raises(UserError, match="densecap2016, densecap_pytorch, standard, got lua"):
        score_dense_captions([], scorer, ("lua",))


@pytest.mark.parametrize("on", [True, False])
@pytest.mark.parametrize("fails", [True, False])
def test_the_search_for_cycles_is_as_it_was(on, fails):
    """It waits meanwhile, and goes on afterwards only if it was on, whatever the scorer does."""
    seen = []

    def watching(pairs):
        seen.append(gc.isenabled())
        if fails:
            raise KeyboardInterrupt
        return scorer(pairs)

    record = random_record(np.random.default_rng(0), 0)
    was_on = gc.isenabled()
    try:
        gc.enable() if on else gc.disable()
        with pytest.raises(KeyboardInterrupt) if fails else contextlib.nullcontext():
            score_dense_captions([record], watching)
        assert seen == [False] and gc.isenabled() is on
    finally:
        gc.enable() if was_on else gc.disable()


def test_a_scorer_that_gives_no_numbers_is_refused():
    with pytest.raises(ValueError, match="NaN"):
        score_dense_captions([make()], lambda pairs: [math.nan])
    with pytest.raises(ValueError, match="1 pairs"):
        score_dense_captions([make()], lambda pairs: [])
