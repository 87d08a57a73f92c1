"""Files of predictions say what they document and are there whole or not at all."""

import csv
import io
import json
from pathlib import Path

import pytest

from densecap.errors import UserError
from densecap.prediction.writers import BOX_FORMAT, CSV_COLUMNS, check_formats, open_writers, read_predictions
from densecap.structures import Prediction, RegionPrediction, ScoredCaption

MODEL = {"checkpoint": "c.ckpt", "sha256": "00", "name": "m", "trained_on": "shapes", "config": {}}
SUMMARY = {"complete": True, "errors": [{"file": "bad.jpg", "reason": "is empty"}], "timing": {"images": 2}}
PREDICTIONS = [
    Prediction("a", "p/a.jpg", 40, 30, [RegionPrediction((0.0, 1.5, 20.0, 30.0), 0.75, 'a "red", été circle', -2.5)]),
    Prediction("b", "p/caf\udce9.jpg", 10, 10, []),
]


def write(formats: list[str], target: Path | io.StringIO, predictions: list[Prediction] = PREDICTIONS) -> None:
    for writer in open_writers(formats, target, MODEL):
        for prediction in predictions:
            writer.add(prediction)
        writer.close(SUMMARY)


def test_json_has_the_documented_fields_and_comes_back(tmp_path: Path) -> None:
    write(["json"], tmp_path / "out")
    data = json.loads((tmp_path / "out" / "predictions.json").read_text(encoding="utf-8"))
    assert list(data) == ["version", "model", "box_format", "images", "complete", "errors", "timing"]
    assert data["version"] == 1 and data["box_format"] == BOX_FORMAT and data["model"] == MODEL
    assert data["images"][0] == {
        "image_id": "a",
        "file": "p/a.jpg",
        "width": 40,
        "height": 30,
        "regions": [{"box": [0.0, 1.5, 20.0, 30.0], "score": 0.75, "caption": 'a "red", été circle', "log_prob": -2.5}],
    }
    assert read_predictions(tmp_path / "out" / "predictions.json") == PREDICTIONS
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["predictions.json"]


SEVERAL = Prediction(
    "c",
    "c.jpg",
    8,
    8,
    [
        RegionPrediction(
            (0.0, 0.0, 8.0, 8.0),
            0.5,
            "a dog",
            -1.5,
            [-0.25, -0.25, -1.0],
            [ScoredCaption("a dog", -1.5, [-0.25, -0.25, -1.0]), ScoredCaption("dog", -2.00004, [-2.00004])],
        )
    ],
)


def test_several_captions_come_back_and_files_without_them_are_read(tmp_path: Path) -> None:
    write(["json", "jsonl", "csv"], tmp_path, [*PREDICTIONS, SEVERAL])
    *plain, several = read_predictions(tmp_path / "predictions.json")
    assert plain == PREDICTIONS
    assert several.to_json() == SEVERAL.to_json()
    assert several.regions[0].captions == [SEVERAL.regions[0].captions[0], ScoredCaption("dog", -2.0, [-2.0])]
    data = json.loads((tmp_path / "predictions.json").read_text(encoding="utf-8"))
    assert data["version"] == 1
    assert list(data["images"][0]["regions"][0]) == ["box", "score", "caption", "log_prob"]
    assert data["images"][2]["regions"][0]["token_log_probs"] == [-0.25, -0.25, -1.0]
    assert data["images"][2]["regions"][0]["captions"][1] == {
        "caption": "dog",
        "log_prob": -2.0,
        "token_log_probs": [-2.0],
    }
    line = json.loads((tmp_path / "predictions.jsonl").read_text(encoding="utf-8").splitlines()[2])
    assert line == {"version": 1, **data["images"][2]}
    with (tmp_path / "predictions.csv").open(encoding="utf-8", newline="") as file:
        assert [row["caption"] for row in csv.DictReader(file)] == ['a "red", été circle', "a dog"]


def test_json_without_images_is_json() -> None:
    stream = io.StringIO()
    write(["json"], stream, [])
    assert json.loads(stream.getvalue())["images"] == []


def test_json_lines_and_table(tmp_path: Path) -> None:
    write(["jsonl", "csv"], tmp_path)
    lines = (tmp_path / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    assert [Prediction.from_json(json.loads(line)) for line in lines] == PREDICTIONS
    with (tmp_path / "predictions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == CSV_COLUMNS and len(rows) == 1
    assert rows[0]["caption"] == 'a "red", été circle' and float(rows[0]["y1"]) == 1.5


def test_a_file_appears_only_when_closed_and_discarding_keeps_the_old_one(tmp_path: Path) -> None:
    old = tmp_path / "predictions.json"
    old.write_text("old")
    (writer,) = open_writers(["json"], tmp_path, MODEL)
    writer.add(PREDICTIONS[0])
    assert old.read_text() == "old"
    writer.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["predictions.json"] and old.read_text() == "old"


@pytest.mark.parametrize(
    ("formats", "directory", "words"),
    [
        (["jason"], "x", "jason"),
        ([], "x", "nothing"),
        (["json", "images"], "-", "standard output takes one text"),
        (["images"], "-", "standard output takes one text"),
    ],
)
def test_formats_that_make_no_sense_are_refused(formats: list[str], directory: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        check_formats(formats, directory)
    check_formats(["json", "images"], "x")
    check_formats(["csv"], "-")


@pytest.mark.parametrize("text", ["{", "[]", '{"version": 99, "images": []}', "{}"])
def test_other_files_are_refused_as_predictions(tmp_path: Path, text: str) -> None:
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(UserError, match=r"p\.json"):
        read_predictions(tmp_path / "p.json")
