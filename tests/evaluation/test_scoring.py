"""The figures of a report are those of the pure functions; what is not measured has its reason."""

import json
from pathlib import Path

import numpy as np
import pytest

from densecap.data.hdf5 import RegionFile
from densecap.errors import UserError
from densecap.evaluation.figures import METRICS, Choice
from densecap.evaluation.formats.table import read_predictions
from densecap.evaluation.result import Evaluation
from densecap.evaluation.scoring import Inputs, evaluate
from densecap.evaluation.truth import Truth
from densecap.metrics.bleu import bleu
from densecap.metrics.cider import cider
from densecap.metrics.dense_map.conventions import CONVENTIONS
from densecap.metrics.dense_map.evaluation import score_dense_captions
from densecap.metrics.dense_map.records import DenseRecord
from densecap.metrics.language_meteor import language_meteor
from densecap.metrics.meteor import Meteor
from densecap.metrics.rouge_l import rouge_l
from densecap.metrics.tokenizer import tokenize_all
from densecap.text.vocabulary import Vocabulary
from tests.fakes import split as fakes

WORDS = ["a", "red", "car", "two", "men", "number", "the", "dog", "<UNK>"]


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    return Truth(RegionFile(fakes.write_split(tmp_path_factory.mktemp("split") / "fake.h5")), "test")


@pytest.fixture(scope="module")
def meteor():
    with Meteor() as opened:
        yield opened


def on_true_boxes(truth: Truth) -> list[dict]:
    """True boxes with the phrase of the next region for every third; scores falling."""
    images = fakes.predictions_of(truth, spoil=0.1)
    for image, true in zip(images, truth.images):
        for region, box in zip(image["regions"], true.boxes.tolist()):
            region["box"] = box
    return images


def records_of(truth: Truth, images: list[dict]) -> list[DenseRecord]:
    return [
        DenseRecord(
            true.image_id,
            true.width,
            true.height,
            np.array([region["box"] for region in image["regions"]]),
            np.array([region["score"] for region in image["regions"]]),
            [region["caption"] for region in image["regions"]],
            true.boxes,
            true.captions,
        )
        for true, image in zip(truth.images, images)
    ]


def scored(truth: Truth, folder: Path, images: list[dict], truths: list[dict] | None = None, **more) -> Evaluation:
    model = {"vocabulary": WORDS}
    files = [fakes.write_own(folder / name, own, model=model) for name, own in (("a", images), ("b", truths)) if own]
    predicted, on_truth = [*map(read_predictions, files), None][:2]
    return evaluate(Inputs(truth, predicted, on_truth, meteor_processes=1), Choice(**more))


def test_figures_of_predicted_boxes_are_those_of_the_pure_functions(truth, meteor, tmp_path):
    images = fakes.predictions_of(truth, spoil=0.15)
    found = scored(truth, tmp_path, images, protocol="predicted", language_captions=3)
    records, part = records_of(truth, images), found.report["protocols"]["predicted"]
    scores = score_dense_captions(records, meteor.score_pairs, tuple(CONVENTIONS), Vocabulary(WORDS))
    assert list(part["dense_map"]) == list(found.scores) == list(CONVENTIONS)
    for name, own in part["dense_map"].items():
        assert own["figures"] == scores[name].figures() == found.scores[name].figures()
        assert 0.05 < own["figures"]["dense_mAP"] < 0.95
        assert (own["num_images"], own["num_detections"], own["num_truths"]) == (6, 30, 30)
    best = [[record.captions[row] for row in np.argsort(-record.scores)[:3]] for record in records]
    language = language_meteor(best, [record.truth_captions for record in records], meteor.score_pairs)
    assert part["language_meteor"] == {"METEOR": language.mean, "captions": 18}


def test_figures_on_true_boxes_are_those_of_the_pure_functions(truth, meteor, tmp_path):
    images = on_true_boxes(truth)
    found = scored(truth, tmp_path, fakes.predictions_of(truth, spoil=0.15), images)
    assert list(found.report["protocols"]) == ["predicted", "truth"]
    part = found.report["protocols"]["truth"]
    scores = score_dense_captions(records_of(truth, images), meteor.score_pairs, ("standard",))
    assert part["dense_map"]["standard"]["figures"] == scores["standard"].figures()
    words = tokenize_all(region["caption"] for image in images for region in image["regions"])
    others = [[words_of] for words_of in tokenize_all(text for image in truth.images for text in image.captions)]
    expected = {f"BLEU-{order}": value for order, value in enumerate(bleu(words, others).corpus.tolist(), 1)}
    expected |= {"CIDEr-D": cider(words, others).corpus, "ROUGE-L": rouge_l(words, others).corpus}
    expected["METEOR"] = meteor.corpus(list(zip(words, others)))
    expected["distinct"] = len(set(map(tuple, words))) / 30
    assert part["captions"] == pytest.approx({"captions": 30, "references": 30, **expected}, abs=1e-12)
    assert 0.1 < part["captions"]["METEOR"] < 0.95
    assert not np.allclose(found.records[0].boxes, truth.images[0].boxes), "the page is about predicted boxes"


def test_whole_images_are_handed_to_the_page_as_one_box_each(truth, tmp_path):
    rows = [{"image_id": int(image.image_id), "caption": f"A {image.image_id}!"} for image in truth.images[1:]]
    (tmp_path / "captions").write_text(json.dumps(rows))
    found = evaluate(Inputs(truth, read_predictions(tmp_path / "captions")), Choice(("bleu",)))
    assert [record.captions for record in found.records] == [[], *([row["caption"]] for row in rows)]
    assert found.records[0].boxes.shape == (0, 4)
    for record, image in zip(found.records[1:], truth.images[1:]):
        assert record.boxes.tolist() == [[0, 0, image.width, image.height]] and record.scores.tolist() == [1]
        assert record.truth_captions == image.captions
    assert found.scores == found.judged == {}


def test_what_is_not_measured_has_its_reason(truth, tmp_path):
    spoilt, exact = fakes.predictions_of(truth, spoil=0.15), fakes.predictions_of(truth)
    captions = ("bleu", "cider", "rouge_l", "meteor")
    model = dict.fromkeys(("proposal_recall", "perplexity", "retrieval"), "needs a model: give ckpt=PATH")
    assert scored(truth, tmp_path, exact).report["skipped"] == model
    without = dict.fromkeys(captions, "needs captions for true boxes: ckpt=PATH makes them")
    assert scored(truth, tmp_path, spoilt).report["skipped"] == without | model
    predicted = scored(truth, tmp_path, exact, protocol="predicted", metrics=("dense_map", "bleu")).report
    assert predicted["skipped"] == {"bleu": "needs captions for true boxes: protocol=both has them"}
    true = scored(truth, tmp_path, exact, protocol="truth").report
    assert true["skipped"] == {"language_meteor": "needs predicted boxes: protocol=both has them"} | model
    (tmp_path / "captions").write_text(json.dumps([{"image_id": 7, "caption": "a"}]))
    whole = evaluate(Inputs(truth, read_predictions(tmp_path / "captions")), Choice(("detection", "bleu")))
    assert whole.report["skipped"] == {"detection": "needs boxes, which captions of whole images have not"}


def test_every_metric_is_measured_or_has_its_reason(truth, tmp_path):
    found = scored(truth, tmp_path, fakes.predictions_of(truth)).report
    assert found["settings"]["metrics"] == tuple(METRICS)
    measured = {name for part in found["protocols"].values() for name in part} - {"boxes_kept", "captions"}
    names = {"BLEU-1": "bleu", "CIDEr-D": "cider", "ROUGE-L": "rouge_l", "METEOR": "meteor"}
    measured |= {names[name] for name in found["protocols"]["truth"]["captions"] if name in names}
    assert measured | {"detection"} | set(found["skipped"]) == set(METRICS)


def test_captions_for_true_boxes_that_lack_one_are_refused(truth, tmp_path):
    truths = on_true_boxes(truth)
    del truths[3]["regions"][2]
    with pytest.raises(UserError, match="protocol=truth needs a caption for every true box, and .*b lacks some"):
        scored(truth, tmp_path, fakes.predictions_of(truth), truths, protocol="truth")
