"""Captions chosen anew on their way into a file."""

import torch

from densecap.commands.reranking import _training_captions
from densecap.data.hdf5 import RegionFile
from densecap.evaluation.reranked import RerankedWriter, rerank_predictions
from densecap.reranking.choice import Ranked, Reranker
from densecap.structures import Prediction, RegionPrediction, ScoredCaption
from tests.fakes.whole_images import write_whole_images


class LongestFirst(Reranker):
    def __init__(self):
        self.asked = []

    def rank(self, hypotheses, features=None):
        self.asked.append((hypotheses, features))
        orders = [sorted(range(len(own)), key=lambda place, own=own: -len(own[place])) for own in hypotheses]
        return [Ranked(order, [float(len(text)) for text in own]) for order, own in zip(orders, hypotheses)]


class Kept:
    """A writer that keeps what it is given."""

    def __init__(self):
        self.predictions, self.summary, self.discarded = [], None, False

    def add(self, prediction):
        assert self.summary is None
        self.predictions.append(prediction)

    def close(self, summary):
        self.summary = summary

    def discard(self):
        self.discarded = True


def region(*captions):
    said = [ScoredCaption(text, -float(place), [-0.5 * place, -0.5 * place]) for place, text in enumerate(captions)]
    return RegionPrediction((0.0, 0.0, 4.0, 3.0), 1.0, captions[0], 0.0, [0.0, 0.0], said)


def predictions():
    plain = RegionPrediction((0.0, 0.0, 4.0, 3.0), 1.0, "only", -1.0)
    return [
        Prediction("1", "1.jpg", 4, 3, [region("a", "long one", "mid"), region("b")]),
        Prediction("2", "2.jpg", 4, 3, []),
        Prediction("3", "3.jpg", 4, 3, [plain]),
    ]


def test_the_choice_becomes_the_caption_with_its_log_probabilities():
    first, second, third = rerank_predictions(predictions(), LongestFirst())
    best = first.regions[0]
    assert (best.caption, best.log_prob, best.token_log_probs) == ("long one", -1.0, [-0.5, -0.5])
    assert [said.caption for said in best.captions] == ["a", "long one", "mid"]
    assert first.regions[1] == region("b")
    assert second.regions == []
    assert third == predictions()[2]


def test_a_writer_hands_on_at_the_end_what_was_chosen_among_all():
    inner, reranker, features = Kept(), LongestFirst(), torch.zeros(3, 2)
    writer = RerankedWriter(inner, reranker, lambda given: features[: sum(len(own.regions) for own in given)])
    for prediction in predictions():
        writer.add(prediction)
    assert inner.predictions == []
    writer.close({"complete": True})
    assert [own.image_id for own in inner.predictions] == ["1", "2", "3"]
    assert inner.summary == {"complete": True}
    ((hypotheses, given),) = reranker.asked
    assert hypotheses == [["a", "long one", "mid"], ["b"], []]
    assert given.shape == (3, 2)


def test_what_is_discarded_is_not_written():
    inner = Kept()
    writer = RerankedWriter(inner, LongestFirst())
    writer.add(predictions()[0])
    writer.discard()
    assert inner.discarded and not inner.predictions


def test_only_training_captions_are_compared_with_and_as_words(tmp_path, monkeypatch):
    """What people typed of other images would be the answers of the test; of hypotheses there are words only."""
    path = write_whole_images(tmp_path / "x.h5", ["train", "val", "train", "test", "train"], captions=[2, 1, 0, 1, 1])
    monkeypatch.setattr(RegionFile, "captions", lambda own, row: [f"Image {row}, a T-shirt."] * own.region_counts[row])
    assert _training_captions(RegionFile(path)) == ([0, 4], [["image 0 a tshirt"] * 2, ["image 4 a tshirt"]])
