"""Captions as text: which of them there are, and the terms that belong to each."""

import math

import torch

from densecap.models.generation import GenerationSettings
from densecap.models.spoken import described, spoken
from densecap.structures import Captions, RegionPrediction, ScoredCaption
from densecap.text.vocabulary import Vocabulary

VOCABULARY = Vocabulary(["a", "red", "dog"])


def captions():
    return Captions(
        torch.tensor([[1, 2, 3], [1, 3, 0], [0, 0, 0], [0, 0, 0]]),
        torch.tensor([-1.5, -2.5, -3.0, -math.inf]),
        torch.tensor([[-0.25, -0.5, -0.75], [-0.5, -1.0, -1.0], [-3.0, 0, 0], [-math.inf, 0, 0]]),
    )


def test_captions_of_each_feature():
    said = spoken(captions(), 2, VOCABULARY)
    assert said == [
        [ScoredCaption("a red dog", -1.5, [-0.25, -0.5, -0.75]), ScoredCaption("a dog", -2.5, [-0.5, -1.0, -1.0])],
        [ScoredCaption("", -3.0, [-3.0])],  # the second does not exist
    ]
    assert [len(own) for own in spoken(captions(), 1, VOCABULARY)] == [1, 1, 1, 1]
    empty = Captions(torch.zeros(0, 3, dtype=torch.int64), torch.zeros(0), torch.zeros(0, 3))
    assert spoken(empty, 2, VOCABULARY) == []


def test_a_region_holds_more_only_when_more_was_asked_for():
    (first, _) = spoken(captions(), 2, VOCABULARY)
    box = (0.0, 0.0, 4.0, 2.0)
    assert described(box, 0.5, first, 1) == RegionPrediction(box, 0.5, "a red dog", -1.5)
    several = described(box, 0.5, first, 2)
    assert several.captions == first and several.token_log_probs == [-0.25, -0.5, -0.75]


def test_several_captions_of_found_regions(make_captioner, batch):
    model = make_captioner().eval()
    images = [batch.images[0].to(torch.uint8)]
    single = model.caption_images(images)[0]
    several = model.caption_images(images, generation=GenerationSettings(beam_size=3, num_captions=3, max_length=5))[0]
    assert len(single) == len(several) > 0
    for alone, region in zip(single, several):
        assert alone.captions is None and alone.token_log_probs is None
        assert region.box == alone.box and region.captions is not None
        assert (region.caption, region.log_prob) == (region.captions[0].caption, region.captions[0].log_prob)
        assert [item.log_prob for item in region.captions] == sorted(
            (i.log_prob for i in region.captions), reverse=True
        )
        for item in region.captions:
            assert math.isclose(sum(item.token_log_probs), item.log_prob, abs_tol=1e-3)
            assert len(item.token_log_probs) in (len(item.caption.split()), len(item.caption.split()) + 1)
