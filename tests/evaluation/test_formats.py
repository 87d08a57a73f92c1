"""The same predictions in every format give the same figures; what the figures must be for known predictions."""

import json
from pathlib import Path

import numpy as np
import pytest

from densecap.data.hdf5 import RegionFile
from densecap.errors import UserError
from densecap.evaluation import scoring
from densecap.evaluation.boxes import BoxForm
from densecap.evaluation.figures import Choice
from densecap.evaluation.formats.table import read_predictions
from densecap.evaluation.schema import plain
from densecap.evaluation.scoring import Inputs, evaluate
from densecap.evaluation.truth import Truth
from densecap.metrics.bleu import bleu
from densecap.metrics.dense_map.geometry import predicted_boxes_2016
from densecap.metrics.meteor import MeteorUnavailable
from densecap.metrics.tokenizer import tokenize_all
from tests.fakes import split as fakes

DENSE = Choice(("dense_map",), protocol="predicted")


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    return Truth(RegionFile(fakes.write_split(tmp_path_factory.mktemp("split") / "fake.h5")), "test")


def report(truth: Truth, path: Path, choice: Choice = DENSE) -> dict:
    return evaluate(Inputs(truth, read_predictions(path), meteor_processes=1), choice).report


def dense(found: dict, protocol: str = "predicted") -> dict[str, dict[str, float]]:
    return {name: part["figures"] for name, part in found["protocols"][protocol]["dense_map"].items()}


@pytest.mark.parametrize("name", fakes.WRITERS)
def test_every_format_gives_the_same_figures(truth: Truth, tmp_path: Path, name: str) -> None:
    images = fakes.predictions_of(truth, spoil=0.15)
    known = dense(report(truth, fakes.write_own(tmp_path / "own", images)))
    assert 0.05 < known["standard"]["dense_mAP"] < 0.95
    found = report(truth, fakes.WRITERS[name](tmp_path / "file", images))
    assert found["predictions"]["predicted"]["format"] == name
    assert found["coverage"]["predicted"]["missing"]["count"] == found["coverage"]["predicted"]["outside"]["count"] == 0
    for convention, figures in dense(found).items():
        assert len(figures) == 37
        assert figures == pytest.approx(known[convention], abs=1e-9)


def test_perfect_predictions_are_perfect(truth: Truth, tmp_path: Path) -> None:
    path = fakes.write_own(tmp_path / "file", fakes.predictions_of(truth))
    found = report(truth, path, Choice(("dense_map", "language_meteor", "bleu", "rouge_l", "meteor")))
    for protocol in ("predicted", "truth"):
        assert set(dense(found, protocol)) == {"densecap2016", "densecap_pytorch", "standard"}
        assert dense(found, protocol)["standard"] == pytest.approx(dict.fromkeys(dense(found)["standard"], 1.0))
    captions = found["protocols"]["truth"]["captions"]
    assert captions["captions"] == captions["references"] == 30
    assert captions["BLEU-4"] == pytest.approx(1) and captions["ROUGE-L"] == captions["METEOR"] == 1
    assert found["protocols"]["predicted"]["language_meteor"] == {"METEOR": 1.0, "captions": 30}
    assert found["warnings"] == [f"{path} carries no vocabulary: references are taken as annotated"]


def test_whole_image_captions_meet_all_phrases_of_their_image(truth: Truth, tmp_path: Path) -> None:
    rows = [{"image_id": int(image.image_id), "caption": image.captions[2].upper()} for image in truth.images[1:]]
    path = tmp_path / "captions.json"
    path.write_text(json.dumps(rows))
    found = report(truth, path, Choice(("bleu", "cider", "rouge_l", "meteor")))
    figures = found["protocols"]["images"]["captions"]
    words = ["", *tokenize_all(row["caption"] for row in rows)]
    corpus = bleu(words, [tokenize_all(image.captions) for image in truth.images]).corpus
    assert [figures[f"BLEU-{order}"] for order in (1, 2, 3, 4)] == pytest.approx(corpus.tolist())
    assert figures["ROUGE-L"] == pytest.approx(5 / 6)
    assert figures["captions"] == 6 and figures["references"] == 30
    assert found["coverage"]["images"]["missing"] == {"count": 1, "first": ["7"]}


def test_a_vocabulary_in_the_file_is_used_and_said(truth: Truth, tmp_path: Path) -> None:
    model = {"vocabulary": ["a", "red", "car", "number", "<UNK>"]}
    found = report(truth, fakes.write_own(tmp_path / "file", fakes.predictions_of(truth), model=model))
    parts = found["protocols"]["predicted"]["dense_map"]
    assert parts["densecap2016"]["references"] == "mapped to the vocabulary"
    assert parts["standard"]["references"] == "as annotated"
    assert parts["densecap2016"]["figures"]["dense_mAP"] < parts["standard"]["figures"]["dense_mAP"] == 1
    assert found["warnings"] == [] and "vocabulary" not in found["predictions"]["predicted"]["model"]


def test_without_meteor_everything_else_is_reported(
    truth: Truth, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*options, **named):
        raise MeteorUnavailable("install densecap[meteor]")

    monkeypatch.setattr(scoring, "Meteor", missing)
    path = fakes.write_own(tmp_path / "file", fakes.predictions_of(truth))
    outcome = evaluate(Inputs(truth, read_predictions(path)), Choice(("dense_map", "bleu", "meteor")))
    assert set(outcome.report["skipped"]) == {"dense_map", "meteor"}
    assert dense(outcome.report)["standard"] == dict.fromkeys(
        ["detection_mAP", *(f"AP_iou{iou}" for iou in (0.3, 0.4, 0.5, 0.6, 0.7))], 1.0
    )
    assert outcome.report["protocols"]["truth"]["captions"]["BLEU-1"] == pytest.approx(1)
    assert outcome.scores == {} and outcome.judged == {}


def test_captions_of_true_boxes_are_found_by_their_boxes(truth: Truth, tmp_path: Path) -> None:
    images = fakes.predictions_of(truth)
    for image in images:
        image["regions"] = image["regions"][::-1] + [{**image["regions"][0], "box": [0, 0, 5, 5], "caption": "else"}]
    choice = Choice(("bleu", "detection"), protocol="truth")
    found = report(truth, fakes.write_own(tmp_path / "file", images), choice)
    assert found["protocols"]["truth"]["captions"]["BLEU-4"] == pytest.approx(1)
    assert found["protocols"]["truth"]["boxes_kept"] == 30
    images[0]["regions"] = images[0]["regions"][1:]
    with pytest.raises(UserError, match=r"protocol=truth needs a caption for every true box, and .*file lacks some"):
        report(truth, fakes.write_own(tmp_path / "file", images), choice)


def test_of_merged_true_boxes_one_is_ranked(tmp_path: Path) -> None:
    region_file = RegionFile(fakes.write_split(tmp_path / "fake.h5"))
    truth = Truth(region_file, "test", max_images=1)
    image = truth.images[0]
    image.boxes[1] = image.boxes[0] + [0, 0, 1, 1]
    found = report(
        truth, fakes.write_own(tmp_path / "file", fakes.predictions_of(truth)), Choice(("detection", "bleu"))
    )
    assert found["protocols"]["truth"]["boxes_kept"] == 4 and found["protocols"]["predicted"]["boxes_kept"] == 5
    assert dense(found, "truth")["standard"]["detection_mAP"] == 1
    assert found["protocols"]["truth"]["captions"]["references"] == 3 + 2 * 2


def test_results_of_the_original_are_its_own_corners() -> None:
    numbers = np.array([[1.0, 1, 720, 480], [10.5, 20.25, 100, 50]])
    boxes = BoxForm("xywh", 720, origin=1).boxes(numbers, 1001, 668)
    corners = numbers + np.concatenate((np.zeros((2, 2)), numbers[:, :2] - 1), axis=1)  # x2 = x + w - 1
    assert predicted_boxes_2016(boxes, 1001, 668) == pytest.approx(corners, abs=1e-4)


def test_plain_leaves_no_number_that_json_lacks() -> None:
    assert plain({"a": [float("nan"), 1.5, (float("inf"), 2)]}) == {"a": [None, 1.5, [None, 2]]}
