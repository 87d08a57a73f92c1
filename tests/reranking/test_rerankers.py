"""Re-rankers against loops over all pairs that use the metric itself."""

import numpy as np
import pytest
import torch

from densecap.errors import UserError
from densecap.metrics.cider import DocumentFrequencies, cider, document_frequencies
from densecap.reranking.consensus import Consensus, sum_of_largest
from densecap.reranking.mbr import MinimumBayesRisk
from densecap.reranking.neighbours import nearest
from tests.fakes.caption_pairs import f_measure, random_sentences


def more_images(found: DocumentFrequencies) -> DocumentFrequencies:
    return DocumentFrequencies(found.num_images + 1, found.vocabulary, found.keys, found.frequencies)


@pytest.mark.parametrize("training", [None, [random_sentences(3, 50 + seed) for seed in range(9)]])
def test_least_risk_agrees_with_a_loop_over_pairs(training):
    hypotheses = [random_sentences(5, seed) for seed in range(7)]
    given = None if training is None else document_frequencies(training)
    fixed = given or more_images(document_frequencies(hypotheses))
    for own, ranked in zip(hypotheses, MinimumBayesRisk(given).rank(hypotheses)):
        expected = [
            np.mean([cider([one], [[other]], fixed).corpus for j, other in enumerate(own) if j != i])
            for i, one in enumerate(own)
        ]
        np.testing.assert_allclose(ranked.scores, expected, atol=1e-12)
        assert ranked.order == sorted(range(5), key=lambda i, e=expected: -e[i])


def test_of_a_single_image_the_hypothesis_in_the_middle_wins():
    texts = ["a cat sits", "a dog runs on grass", "a dog runs on the grass", "the dog runs on the grass"]
    assert MinimumBayesRisk().rank([texts])[0].best == 2


@pytest.mark.parametrize("texts", [["a dog"], ["a dog", "a cat"], ["", ""]])
def test_where_nothing_speaks_for_another_the_first_stays(texts):
    assert MinimumBayesRisk().rank([texts])[0].best == 0


def test_no_images_and_no_hypotheses():
    assert MinimumBayesRisk().rank([]) == []
    assert MinimumBayesRisk().rank([[], ["a dog"]])[0].order == []


@pytest.mark.parametrize("similarity", ["cider", "bleu"])
def test_consensus_agrees_with_a_loop_over_pairs(similarity):
    generator = torch.Generator().manual_seed(0)
    training = torch.randn(12, 4, generator=generator)
    captions = [random_sentences(2 + index % 3, 100 + index) for index in range(12)]
    queries = torch.randn(5, 4, generator=generator)
    hypotheses = [random_sentences(4, 200 + index, longest=8) for index in range(5)]
    consensus = Consensus(training, captions, similarity, num_neighbours=5, num_counted=6)
    fixed = document_frequencies(captions)
    for image, ranked in enumerate(consensus.rank(hypotheses, queries)):
        order = sorted(range(12), key=lambda t, i=image: float((training[t] - queries[i]).norm()))
        pool = [text for t in order[:5] for text in captions[t]]
        scores = []
        for text in hypotheses[image]:
            if similarity == "bleu":
                values = [f_measure(text, other) for other in pool]
            else:
                values = [cider([text], [[other]], fixed).corpus for other in pool]
            scores.append(sum(sorted(values)[-6:]))
        np.testing.assert_allclose(ranked.scores, scores, atol=1e-9)
        assert ranked.best == int(np.argmax(scores))


def test_consensus_takes_what_people_said_of_similar_images():
    dogs, bikes = ["a dog runs on grass", "a brown dog runs"], ["a man on a red bike", "someone rides a bike"]
    consensus = Consensus(torch.eye(3), [dogs, bikes, ["the sea"]], num_neighbours=1)
    hypotheses = [["a man runs", "a man on a bike"]]
    assert consensus.rank(hypotheses, torch.tensor([[0.1, 0.9, 0.0]]))[0].best == 1


def test_counted_captions_default_to_those_of_the_similarity():
    arguments = torch.zeros(1, 2), [["a dog"]]
    assert Consensus(*arguments).num_counted == 125
    assert Consensus(*arguments, similarity="bleu").num_counted == 175


def test_sum_of_largest():
    values = np.array([[3.0, 1.0, 2.0], [0.0, 5.0, 4.0]])
    assert sum_of_largest(values, 2).tolist() == [5.0, 9.0]
    assert sum_of_largest(values, 9).tolist() == [6.0, 9.0]
    assert sum_of_largest(np.zeros((2, 0)), 3).tolist() == [0.0, 0.0]


def test_nearest_first_and_of_equals_the_earlier(monkeypatch):
    monkeypatch.setattr("densecap.reranking.neighbours.ROWS", 2)
    features = torch.tensor([[5.0], [1.0], [1.0], [0.0]])
    assert nearest(torch.tensor([[0.2], [4.0], [1.0]]), features, 3).tolist() == [[3, 1, 2], [0, 1, 2], [1, 2, 3]]
    assert nearest(torch.zeros(0, 1), features, 9).shape == (0, 4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"similarity": "meteor"}, "one of cider, bleu"),
        ({"num_neighbours": 0}, "above 0"),
        ({"captions": [["a dog"]] * 2}, "got 3 for 2 images"),
    ],
)
def test_settings_that_mean_nothing(change, message):
    arguments = {"features": torch.zeros(3, 2), "captions": [["a dog"]] * 3} | change
    with pytest.raises(UserError, match=message):
        Consensus(**arguments)


def test_features_of_another_width():
    with pytest.raises(ValueError, match=r"\(1, 2\), got \(1, 3\)"):
        Consensus(torch.zeros(1, 2), [["a dog"]]).rank([["a dog"]], torch.zeros(1, 3))
