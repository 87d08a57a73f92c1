"""BLEU, CIDEr-D and ROUGE-L against pycocoevalcap on the same words, then the degenerate cases by hand."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge

from densecap.metrics import ngrams
from densecap.metrics.bleu import bleu, bleu_of_ngrams, bleu_of_statistics, bleu_statistics
from densecap.metrics.cider import cider, cider_of_ngrams, document_frequencies
from densecap.metrics.rouge_l import rouge_l
from tests.fakes.captions import split

REFERENCE = Path(__file__).parents[2].parent / "shared" / "data" / "metrics_reference"
ODD = (
    [
        "",
        "",
        "a",
        "a b",
        "the the the the the the",
        "a  b",
        "a b c d e f g",
        "b a",
        "\u00e9t\u00e9 \u732b",
        "x\u00a0y z",
    ],
    [
        [""],
        ["a b", ""],
        ["a"],
        ["b a", "a", "b"],
        ["the cat is on the mat", "there is a cat on the mat"],
        ["a b", "a  b"],
        ["a b c d e f g", "a b c d"],
        ["c"],
        ["\u00e9t\u00e9 \u732b \u732b", "ete"],
        ["x y z"],
    ],
)
SPLITS = {
    "five references": split(300),
    "one to six references": split(200, seed=1, references=None),
    "one reference": split(100, seed=2, references=1),
    "a single image": split(1, seed=3),
    "two images": split(2, seed=4),
    "odd captions": ODD,
}


def oracle(scorer, candidates, references, **options):
    truth = dict(enumerate(references))
    corpus, images = scorer.compute_score(truth, {key: [text] for key, text in enumerate(candidates)}, **options)
    return np.array(corpus), np.array(images)


@pytest.mark.parametrize("name", SPLITS)
def test_bleu_is_that_of_pycocoevalcap(name):
    corpus, images = oracle(Bleu(4), *SPLITS[name], verbose=0)
    score = bleu(*SPLITS[name])
    np.testing.assert_allclose(score.corpus, corpus, rtol=0, atol=1e-12)
    np.testing.assert_allclose(score.images, images.T, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", SPLITS)
def test_cider_is_that_of_pycocoevalcap(name):
    corpus, images = oracle(Cider(), *SPLITS[name])
    score = cider(*SPLITS[name])
    assert score.corpus == pytest.approx(corpus, abs=1e-12)
    np.testing.assert_allclose(score.images, images, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", SPLITS)
def test_rouge_l_is_that_of_pycocoevalcap(name):
    corpus, images = oracle(Rouge(), *SPLITS[name])
    score = rouge_l(*SPLITS[name])
    assert score.corpus == pytest.approx(corpus, abs=1e-12)
    np.testing.assert_allclose(score.images, images, rtol=0, atol=1e-12)


def test_published_scores_of_the_coco_example():
    if not REFERENCE.exists():
        pytest.skip("the reference captions are not here")
    truth = json.loads((REFERENCE / "coco1000_gts_tokenized.json").read_text())
    found = json.loads((REFERENCE / "coco1000_fakecap_res_tokenized.json").read_text())
    captions = [found[key][0] for key in truth], list(truth.values())
    counted = ngrams.count_ngrams(*captions)
    expected = [0.5793995754573356, 0.40439129741018104, 0.2785363856619147, 0.1908290437674253]
    assert bleu_of_ngrams(counted).corpus == pytest.approx(expected, abs=1e-9)
    assert cider_of_ngrams(counted).corpus == pytest.approx(0.5997905185184199, abs=1e-9)
    assert rouge_l(*captions).corpus == pytest.approx(0.39625269357570847, abs=1e-9)


def test_counts_do_not_depend_on_how_keys_are_sorted(monkeypatch):
    """Keys too wide to be packed with their places are sorted another way."""
    expected = ngrams.count_ngrams(*SPLITS["five references"])
    monkeypatch.setattr(ngrams, "PACKED_BITS", 0)
    for own, other in zip(expected.orders, ngrams.count_ngrams(*SPLITS["five references"]).orders):
        for field in ("gram", "sentence", "times", "keys", "example"):
            assert (getattr(own, field) == getattr(other, field)).all()


def test_bleu_counts_add_up():
    candidates, references = SPLITS["five references"]
    parts = [bleu_statistics(ngrams.count_ngrams(candidates[s], references[s])) for s in (slice(120), slice(120, None))]
    fields = ("matches", "totals", "candidate_length", "reference_length")
    joined = type(parts[0])(*[np.concatenate([getattr(part, field) for part in parts]) for field in fields])
    assert bleu_of_statistics(joined).corpus.tolist() == bleu(candidates, references).corpus.tolist()


def test_fixed_frequencies_of_the_same_references_change_nothing():
    candidates, references = SPLITS["one to six references"]
    fixed = document_frequencies(references)
    assert cider(candidates, references, fixed).images.tolist() == cider(candidates, references).images.tolist()


def test_fixed_frequencies_make_subsets_comparable():
    """With frequencies of all references an image scores the same alone as among the others, unknown words included."""
    candidates, references = SPLITS["five references"]
    fixed = document_frequencies(split(500, seed=8)[1])
    whole = cider(candidates, references, fixed).images
    alone = [cider([candidates[k]], [references[k]], fixed).corpus for k in range(40)]
    np.testing.assert_allclose(whole[:40], alone, rtol=0, atol=1e-12)
    assert "unseen" not in fixed.vocabulary
    assert (whole > 0).any()


def test_fixed_frequencies_by_hand():
    """idf of "dog" is log(3 / 2), of "cat" log 3, of a word nobody used log 3 too; the other orders have no n-gram."""
    fixed = document_frequencies([["dog"], ["dog", "dog"], ["cat"]])
    idf = math.log(1.5), math.log(3)
    score = cider(["dog", "bird", "dog"], [["dog"], ["bird"], ["cat"]], fixed)
    assert score.images == pytest.approx([10 / 4, 10 / 4, 0])
    mixed = cider(["dog bird"], [["dog tree"]], fixed).corpus
    assert mixed == pytest.approx(10 / 4 * idf[0] ** 2 / (idf[0] ** 2 + idf[1] ** 2))
    assert cider(["dog"], [["dog"]], document_frequencies([[""], [""]])).corpus == pytest.approx(2.5)


def test_nothing_to_score():
    assert bleu([], []).corpus.tolist() == [0, 0, 0, 0]
    assert bleu([], []).images.shape == (0, 4)
    assert (cider([], []).corpus, rouge_l([], []).corpus) == (0, 0)
    assert bleu(["", ""], [[""], ["", ""]]).corpus.tolist() == pytest.approx([0, 0, 0, 0], abs=1e-5)


@pytest.mark.parametrize("metric", [bleu, cider, rouge_l])
def test_missing_references_are_refused(metric):
    with pytest.raises(ValueError, match="1 candidates but references of 0"):
        metric(["a"], [])
    with pytest.raises(ValueError, match="image 1 needs a non-empty list"):
        metric(["a", "b"], [["a"], []])
    with pytest.raises(ValueError, match="image 0 needs a non-empty list"):
        metric(["a"], ["a string is no list"])
