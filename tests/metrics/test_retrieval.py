"""Recall and ranks of both directions: values worked out by hand, ties, and a loop over all pairs."""

import math

import numpy as np
import pytest

from densecap.callbacks.caption_metrics import CaptionMetrics
from densecap.errors import UserError
from densecap.metrics.retrieval import images_from_sentences, sentences_from_images
from densecap.metrics.retrieval_settings import RetrievalSettings

OWNERS = [0, 0, 1, 2]
SCORES = np.array(
    [
        [0.1, 0.5, 0.9, 0.3],  # own 0.1, 0.5; one other sentence is better
        [0.2, 0.8, 0.7, 0.9],  # own 0.7; two are better
        [0.9, 0.6, 0.1, 0.9],  # own 0.9; one is as good
    ]
)


def test_sentences_from_images_by_hand():
    found = sentences_from_images(SCORES, OWNERS)
    assert found.to_json() == {
        "R@1": 0.0, "R@5": 1.0, "R@10": 1.0, "median_rank": 2.0, "queries": 3, "candidates": 4
    }  # fmt: skip


def test_images_from_sentences_by_hand():
    # columns: own .1 after .2 and .9; own .5 after .8 and .6; own .7 after .9; own .9 beside another .9
    found = images_from_sentences(SCORES, OWNERS)
    assert found.recall == {1: 0.0, 5: 1.0, 10: 1.0}
    assert (found.median_rank, found.queries, found.candidates) == (2.5, 4, 3)


def test_perfect_scores():
    scores = np.where(np.arange(3)[:, None] == np.array(OWNERS), 1.0, 0.0)
    for score in (sentences_from_images(scores, OWNERS), images_from_sentences(scores, OWNERS)):
        assert score.recall[1] == 1.0
        assert score.median_rank == 1.0


def test_scores_that_are_all_alike_find_nothing():
    scores = np.zeros((20, 20))
    for score in (sentences_from_images(scores, range(20)), images_from_sentences(scores, range(20))):
        assert score.recall == {1: 0.0, 5: 0.0, 10: 0.0}
        assert score.median_rank == 20


def test_agrees_with_sorting_every_query():
    generator = np.random.default_rng(3)
    scores = generator.normal(size=(30, 90)).astype(np.float32)
    owners = generator.permutation(np.repeat(np.arange(30), 3))
    sentences, images = [], []
    for image in range(30):
        order = sorted(range(90), key=lambda s, i=image: -scores[i, s])
        sentences.append(1 + next(place for place, s in enumerate(order) if owners[s] == image))
    for sentence in range(90):
        order = sorted(range(30), key=lambda i, s=sentence: -scores[i, s])
        images.append(1 + order.index(owners[sentence]))
    both = (sentences_from_images(scores, owners), sentences), (images_from_sentences(scores, owners), images)
    for score, ranks in both:
        assert score.recall == {k: sum(rank <= k for rank in ranks) / len(ranks) for k in (1, 5, 10)}
        assert score.median_rank == np.median(ranks)


def test_an_image_without_sentences_asks_nothing_but_can_be_found():
    scores = np.array([[0.5], [0.9]])
    assert sentences_from_images(scores, [0]).queries == 1
    assert images_from_sentences(scores, [0]).median_rank == 2.0


def test_nothing_to_ask():
    score = sentences_from_images(np.zeros((3, 0)), [])
    assert score.queries == 0
    assert score.recall[10] == 0.0
    assert math.isnan(images_from_sentences(np.zeros((3, 0)), []).median_rank)


@pytest.mark.parametrize(
    ("scores", "owners", "message"),
    [
        (np.zeros((2, 3)), [0, 1], "need owners"),
        (np.zeros((2, 1)), [2], "images 0 to 1"),
        (np.full((1, 1), math.nan), [0], "NaN"),
    ],
)
def test_what_cannot_be_ranked(scores, owners, message):
    with pytest.raises(ValueError, match=message):
        sentences_from_images(scores, owners)


def test_training_leaves_it_out_and_says_so():
    callback = CaptionMetrics({"retrieval": RetrievalSettings()})
    assert callback.names == []
    assert callback.problems == [f"metric=[retrieval] is not or not wholly reported: {RetrievalSettings().problem()}"]


@pytest.mark.parametrize("change", [{"num_marginal": 0}, {"num_marginal": 1.5}, {"correction": "median"}])
def test_settings_that_mean_nothing(change):
    with pytest.raises(UserError, match=f"metric.retrieval.{next(iter(change))} is"):
        RetrievalSettings(**change)
