"""Language-only METEOR: every caption against all phrases of its image."""

import math

import pytest

from densecap.metrics.language_meteor import language_meteor


def exact(pairs):
    return [float(caption in references) for caption, references in pairs]


def test_the_mean_runs_over_captions_not_images():
    captions = [["red dog", "sky", "red dog"], ["tree"], []]
    references = [["blue dog", "red  dog"], ["wall"], ["sky"]]
    score = language_meteor(captions, references, exact)
    assert (score.mean, score.num_captions) == (pytest.approx(2 / 4), 4)
    assert score.sums.tolist() == [2, 0, 0]
    assert score.counts.tolist() == [3, 1, 0]


def test_all_phrases_of_the_image_are_references_and_repeats_are_asked_once():
    asked = []
    language_meteor([["a", "a", "", "b"]], [["x", "y", "x", " "]], lambda pairs: asked.extend(pairs) or exact(pairs))
    assert asked == [("a", ["x", "y"]), ("b", ["x", "y"])]


def test_only_the_best_captions():
    score = language_meteor([["dog", "sky", "dog"]], [["dog"]], exact, max_captions=2)
    assert (score.mean, score.num_captions) == (0.5, 2)


def test_nothing_to_score():
    assert math.isnan(language_meteor([], [], exact).mean)
    assert math.isnan(language_meteor([[]], [["dog"]], exact).mean)
    assert language_meteor([["dog"]], [[]], exact).mean == 0
    with pytest.raises(ValueError, match="1 images"):
        language_meteor([["dog"]], [], exact)
