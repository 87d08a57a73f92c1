"""The eval command with a miniature model and with files: what is written, what is said, what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

import densecap.commands.eval as command
from densecap import checkpoint
from densecap.checkpoint import LoadedModel
from densecap.data.hdf5 import RegionFile
from densecap.errors import UserError
from densecap.evaluation import scoring
from densecap.evaluation.truth import Truth
from densecap.metrics.meteor import MeteorUnavailable
from tests.callbacks.test_caption_metrics import plant, settle
from tests.conftest import miniature_captioner
from tests.fakes import split as fakes
from tests.fakes.region_file import write_fake

ROOT = Path(__file__).parents[2]
CONVENTIONS = ["densecap2016", "densecap_pytorch", "standard"]
RAW = CONVENTIONS[1:]


def config(*options: str) -> DictConfig:
    with initialize_config_dir(str(ROOT / "configs"), version_base="1.3"):
        return compose("eval", ["paths.output_dir=x", "device=cpu", "meteor.processes=1", *options])


def report_in(folder: str) -> dict[str, Any]:
    return json.loads(Path(folder, "report.json").read_text())


def dense(report: dict[str, Any], protocol: str = "predicted") -> dict[str, dict[str, float]]:
    return {name: part["figures"] for name, part in report["protocols"][protocol]["dense_map"].items()}


@pytest.fixture
def truth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Truth:
    """Six images for test; what the command prepares is their file."""
    path = fakes.write_split(tmp_path / "fake.h5")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "prepare", lambda data, console: path)
    return Truth(RegionFile(path), "test")


@pytest.fixture
def model_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """model.ckpt, a random model, and a validation split that is much like what it finds."""
    model = settle(miniature_captioner())
    counts = [1] * 4 + [4] * 5
    path = plant(write_fake(tmp_path / "a.h5", ["train"] * 4 + ["val"] * 5, counts, [(48, 64)] * 9), model)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "prepare", lambda data, console: path)
    monkeypatch.setattr(checkpoint, "load", lambda file: LoadedModel(model, {}, Path(file), "fake"))
    Path("model.ckpt").write_bytes(b"weights")
    return path


MODEL = ("ckpt=model.ckpt", "split=val", "detection.max_detections=20", "generation.max_length=6")


def test_a_model_is_scored_and_what_it_said_is_kept(model_split: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run(config(*MODEL, "output.dir=out")) == 0
    files = {"predictions.json", "predictions_on_truth.json", "report.html", "report.json", "sheet.jpg"}
    assert {path.name for path in Path("out").iterdir()} == files
    report = report_in("out")
    assert report["data"]["split"] == "val" and report["data"]["images"] == 5 and report["data"]["regions"] == 20
    assert report["skipped"] == {} and list(report["protocols"]) == ["predicted", "truth"]
    assert list(dense(report)) == list(dense(report, "truth")) == CONVENTIONS
    assert 0.02 < dense(report)["standard"]["dense_mAP"] < 1
    assert 0.02 < report["protocols"]["truth"]["captions"]["METEOR"] < 1
    assert set(report["model"]) == {"proposal_recall", "perplexity", "images_per_second"}
    assert report["predictions"]["predicted"]["has_vocabulary"] is True
    assert report["protocols"]["truth"]["captions"]["captions"] == 20
    page = Path("out/report.html").read_text("utf-8")
    assert page.startswith("<!DOCTYPE html>") and page.count('class="shot"') == 5
    out, err = capsys.readouterr()
    assert f"{dense(report)['standard']['dense_mAP']:.4f}" in out and f"{report['model']['perplexity']:.2f}" in out
    assert "described 5 images" in err and "written to out: predictions.json, predictions_on_truth.json" in err


def test_scoring_what_was_written_gives_the_same_figures(model_split: Path) -> None:
    command.run(config(*MODEL, "output.dir=out"))
    known = report_in("out")
    assert command.run(config("predictions=out/predictions.json", "split=val", "output.dir=again")) == 0
    again = report_in("again")
    assert again["protocols"]["predicted"] == known["protocols"]["predicted"]
    assert again["protocols"]["predicted"]["dense_map"]["densecap2016"]["references"] == "mapped to the vocabulary"
    command.run(config("predictions=out/predictions_on_truth.json", "split=val", "output.dir=second", "protocol=truth"))
    assert report_in("second")["protocols"]["truth"] == known["protocols"]["truth"]


def test_without_its_vocabulary_references_are_raw_and_that_is_said(model_split: Path) -> None:
    command.run(config(*MODEL, "output.dir=out", "metric=[dense_map]", "protocol=predicted"))
    content = json.loads(Path("out/predictions.json").read_text())
    del content["model"]["vocabulary"]
    Path("bare.json").write_text(json.dumps(content))
    command.run(config("predictions=bare.json", "split=val", "output.dir=bare", "metric=[dense_map]"))
    known, bare = report_in("out"), report_in("bare")
    for name in RAW:
        assert dense(bare)[name] == dense(known)[name]
    assert bare["protocols"]["predicted"]["dense_map"]["densecap2016"]["references"] == "as annotated"
    assert bare["warnings"] == ["bare.json carries no vocabulary: references are taken as annotated"]
    assert known["warnings"] == []


def test_the_second_protocol_alone(model_split: Path) -> None:
    assert command.run(config(*MODEL, "output.dir=out", "protocol=truth", "metric=[dense_map,bleu]")) == 0
    assert {path.name for path in Path("out").iterdir()} == {
        "predictions_on_truth.json",
        "report.html",
        "report.json",
        "sheet.jpg",
    }
    assert list(report_in("out")["protocols"]) == ["truth"] and report_in("out")["model"].keys() == {
        "images_per_second"
    }


def test_perfect_predictions(truth: Truth, capsys: pytest.CaptureFixture[str]) -> None:
    fakes.write_own(Path("perfect.json"), fakes.predictions_of(truth))
    assert command.run(config("predictions=perfect.json", "output.dir=out", "sheet_images=null")) == 0
    report = report_in("out")
    assert dense(report)["standard"] == pytest.approx(dict.fromkeys(dense(report)["standard"], 1.0))
    assert report["protocols"]["truth"]["captions"]["BLEU-4"] == pytest.approx(1)
    assert {path.name for path in Path("out").iterdir()} == {"report.html", "report.json"}
    out, err = capsys.readouterr()
    assert "perfect.json is read as predictions.json" in err
    assert "left out: proposal_recall, perplexity (needs a model: give ckpt=PATH)" in out


def test_images_without_predictions_are_said(truth: Truth, capsys: pytest.CaptureFixture[str]) -> None:
    fakes.write_densecap(Path("results.json"), fakes.predictions_of(truth)[:-1])
    options = ("predictions=results.json", "output.dir=out", "metric=[detection]", "convention=standard")
    assert command.run(config(*options)) == 0
    report = report_in("out")
    assert report["coverage"]["predicted"]["missing"] == {"count": 1, "first": ["12"]}
    assert dense(report)["standard"]["detection_mAP"] == pytest.approx(84 / 101)  # recall stops at 25 of 30
    assert "no predictions for 1 of 6 images of the split, counted as having none: 12" in capsys.readouterr().out
    assert command.run(config(*options, "max_images=5")) == 0
    assert dense(report_in("out"))["standard"]["detection_mAP"] == pytest.approx(1)


def test_captions_of_whole_images_reach_the_page(truth: Truth) -> None:
    rows = [
        {"image_id": int(image.image_id), "caption": f"a giraffe number {image.image_id}"} for image in truth.images
    ]
    Path("captions.json").write_text(json.dumps(rows))
    assert command.run(config("predictions=captions.json", "output.dir=out", "metric=[bleu,rouge_l]")) == 0
    assert set(report_in("out")["protocols"]["images"]["captions"]) >= {"BLEU-4", "ROUGE-L"}
    page = Path("out/report.html").read_text("utf-8")
    assert all(f"a giraffe number {image.image_id}" in page for image in truth.images)


@pytest.mark.parametrize("option", ["meteor.backend=none", "meteor.processes=0"])
def test_a_scorer_that_does_not_exist_is_said_before_the_model_works(
    model_split: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    monkeypatch.setattr(command, "output_folder", lambda cfg: pytest.fail("the model would work for nothing"))
    with pytest.raises(UserError, match="meteor (backend='none' is unknown|processes=0 is too few)"):
        command.run(config("ckpt=model.ckpt", "split=val", option))


def test_without_meteor_one_sentence_says_what_to_install(
    truth: Truth, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(*options: Any) -> None:
        raise MeteorUnavailable("METEOR needs this and that: install densecap[meteor]")

    monkeypatch.setattr(scoring, "Meteor", missing)
    fakes.write_own(Path("perfect.json"), fakes.predictions_of(truth))
    assert command.run(config("predictions=perfect.json", "output.dir=out")) == 0
    report = report_in("out")
    assert {name for name in report["skipped"] if "densecap[meteor]" in report["skipped"][name]} == {
        "dense_map",
        "meteor",
        "language_meteor",
    }
    assert dense(report)["standard"]["detection_mAP"] == pytest.approx(1)
    assert set(report["protocols"]["truth"]["captions"]) >= {"BLEU-4", "CIDEr-D", "ROUGE-L"}
    assert capsys.readouterr().out.count("install densecap[meteor]") == 1
    assert "install densecap[meteor]" in Path("out/report.html").read_text("utf-8")


def test_ctrl_c_keeps_what_was_described(model_split: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from densecap.commands import eval_describing

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(eval_describing, "run_model", interrupted)
    assert command.run(config(*MODEL, "output.dir=out")) == 130
    assert json.loads(Path("out/predictions.json").read_text())["complete"] is False
    assert not Path("out/report.json").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["predictions=perfect.json", "ckpt=model.ckpt"], "give ckpt=PATH .* or predictions=FILE .*, not both"),
        ([], "no checkpoint was found under outputs: .*or give ckpt=PATH"),
        (["ckpt=nothing.ckpt"], "there is no checkpoint at nothing.ckpt"),
        (["predictions=nothing.json"], "there is no predictions file at nothing.json"),
        (["predictions=perfect.json", "split=dev"], "split is one of train, val, test, got dev"),
        (["predictions=perfect.json", "protocol=gt"], "protocol holds gt"),
        (["predictions=perfect.json", "convention=[coco]"], "convention holds coco"),
        (["predictions=perfect.json", "metric=none"], "metric holds nothing"),
        (["predictions=perfect.json", "output.dir=perfect.json/x"], "cannot write the evaluation"),
        (["ckpt=model.ckpt", "batch_size=0"], "batch_size is a whole number above 0"),
    ],
)
def test_mistakes_are_one_sentence(truth: Truth, options: list[str], words: str) -> None:
    fakes.write_own(Path("perfect.json"), fakes.predictions_of(truth))
    with pytest.raises(UserError, match=words) as caught:
        command.run(config(*options))
    assert "\n" not in str(caught.value)
    assert not list(Path().glob("**/report.*"))
