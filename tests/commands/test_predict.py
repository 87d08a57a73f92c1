"""The predict command with a stand-in model: options, messages, exit status, standard output."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from omegaconf import DictConfig, OmegaConf
from PIL import Image
from torch import Tensor, nn

from densecap import checkpoint
from densecap.checkpoint import LoadedModel
from densecap.commands import predict
from densecap.commands.trained_model import choose_device
from densecap.commands.typed_settings import HydraConfig, typed_settings
from densecap.errors import UserError
from densecap.models.settings import DetectionSettings
from densecap.structures import RegionPrediction
from densecap.text.vocabulary import Vocabulary


@dataclass(frozen=True)
class FakeGeneration:
    beam_size: int = 1
    max_length: int = 15


class FakeModel(nn.Module):
    """Describes every image as one region and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.detection, self.generation = DetectionSettings(max_proposals=77), FakeGeneration()
        self.image_size, self.vocabulary, self.calls = 64, Vocabulary(["red", "circle"]), []
        self.weight = nn.Parameter(torch.zeros(1))

    def caption_images(self, images: list[Tensor], detection: Any, generation: Any) -> list[list[RegionPrediction]]:
        print("chatter that must not reach standard output")
        self.calls.append((len(images), detection, generation))
        return [[RegionPrediction((1.0, 2.0, 9.0, 8.0), 0.5, "red circle", -1.0)] for _ in images]

    def caption_boxes(self, images: list[Tensor], boxes: list[Tensor], generation: Any) -> list[list[RegionPrediction]]:
        self.calls.append((len(images), boxes, generation))
        return [[RegionPrediction(tuple(box), 0.25, "a box", -1.0) for box in own.tolist()] for own in boxes]


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeModel:
    fake = FakeModel()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        checkpoint,
        "load",
        lambda path: LoadedModel(fake, {}, Path(path), "shapes"),  # type: ignore[arg-type]
    )
    (tmp_path / "model.ckpt").write_bytes(b"weights")
    return fake


def photos(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 30)).save(name)


def config(**changes: Any) -> DictConfig:
    base = {
        "source": "p",
        "ckpt": "model.ckpt",
        "detection": {"max_proposals": None},
        "generation": {},
        "output": {"dir": "out", "formats": ["json", "images"], "num_to_draw": 10},
        "device": "cpu",
        "batch_size": 2,
        "paths": {"outputs": "outputs"},
    }
    return OmegaConf.merge(base, OmegaConf.from_dotlist([f"{key}={value}" for key, value in changes.items()]))  # type: ignore[return-value]


def test_writes_predictions_and_pictures(model: FakeModel, capsys: pytest.CaptureFixture[str]) -> None:
    photos("p/a.png", "p/b.png", "p/c.png")
    assert predict.run(config()) == 0
    data = json.loads(Path("out/predictions.json").read_text())
    assert [image["file"] for image in data["images"]] == ["p/a.png", "p/b.png", "p/c.png"]
    assert data["model"]["sha256"] == hashlib.sha256(b"weights").hexdigest()
    assert data["model"]["trained_on"] == "shapes"
    assert data["model"]["config"]["detection"]["max_proposals"] == 77
    assert sorted(path.name for path in Path("out/images").iterdir()) == ["a.jpg", "b.jpg", "c.jpg"]
    assert [count for count, _, _ in model.calls] == [2, 1]
    assert "nothing but coloured shapes" in capsys.readouterr().err


def test_unreadable_files_decide_the_exit_status(model: FakeModel, capsys: pytest.CaptureFixture[str]) -> None:
    photos("p/a.png")
    Path("p/b.png").write_bytes(b"")
    assert predict.run(config()) == 1
    assert "skipped: p/b.png is empty" in capsys.readouterr().err
    assert predict.run(config()) == 1
    said = capsys.readouterr().err
    assert "skipped: p/b.png is empty" in said and "1 images were done before" in said and "1 of 2 files" in said
    Path("p/a.png").write_bytes(b"x")
    assert predict.run(config()) == 2
    assert len(json.loads(Path("out/predictions.json").read_text())["errors"]) == 2


def test_standard_output_carries_json_only(model: FakeModel, capfd: pytest.CaptureFixture[str]) -> None:
    photos("p/a.png")
    cfg = config()
    cfg.output.dir, cfg.output.formats = "-", ["json"]
    assert predict.run(cfg) == 0
    out, err = capfd.readouterr()
    assert json.loads(out)["images"][0]["regions"][0]["caption"] == "red circle"
    assert "described 1 images" in err and "chatter" in err
    print("and afterwards it is everybody's again")
    assert "afterwards" in capfd.readouterr().out
    assert not Path("out").exists()


def test_newest_checkpoint_is_taken_and_named(model: FakeModel, capsys: pytest.CaptureFixture[str]) -> None:
    photos("p/a.png")
    with pytest.raises(UserError, match="experiment=quickstart"):
        predict.run(config(ckpt="null"))
    for run in ("1", "2"):
        folder = Path(f"outputs/train/{run}/checkpoints")
        folder.mkdir(parents=True)
        (folder / "best.ckpt").write_bytes(b"weights")
    assert predict.run(config(ckpt="null")) == 0
    assert "using the newest checkpoint, outputs/train/2/checkpoints/best.ckpt" in capsys.readouterr().err
    assert predict.run(config(ckpt="outputs/train/1")) == 0
    assert json.loads(Path("out/predictions.json").read_text())["model"]["checkpoint"].startswith("outputs/train/1")


def test_only_what_was_typed_replaces_the_checkpoints_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = OmegaConf.create(
        {"detection": {"_target_": "x", "max_proposals": 300, "final_nms_iou": 0.9, "max_detections": None}}
    )
    trained = DetectionSettings(max_proposals=77, max_detections=5)
    hydra = SimpleNamespace(overrides=SimpleNamespace(task=["source=a", "detection.max_detections=null"]))
    monkeypatch.setattr(HydraConfig, "initialized", staticmethod(lambda: True))
    monkeypatch.setattr(HydraConfig, "get", staticmethod(lambda: hydra))
    assert typed_settings(cfg, "detection", trained) == DetectionSettings(max_proposals=77, max_detections=None)
    hydra.overrides.task = ["detection=default"]
    assert typed_settings(cfg, "detection", trained) == DetectionSettings(max_proposals=300, final_nms_iou=0.9)
    hydra.overrides.task = []
    assert typed_settings(cfg, "detection", trained) == trained


def test_a_folder_that_was_not_asked_for_is_a_new_one(model: FakeModel, monkeypatch: pytest.MonkeyPatch) -> None:
    photos("p/a.png")
    hydra = SimpleNamespace(overrides=SimpleNamespace(task=["source=p"]))
    monkeypatch.setattr(HydraConfig, "initialized", staticmethod(lambda: True))
    monkeypatch.setattr(HydraConfig, "get", staticmethod(lambda: hydra))
    assert predict.run(config()) == predict.run(config()) == 0
    written = {"predictions.json", "images", "journal.jsonl", "config.yaml", "run.json"}
    assert {path.name for path in Path("out").iterdir()} == written
    assert {path.name for path in Path("out-2").iterdir()} == written
    hydra.overrides.task = ["source=p", "output.dir=out"]
    assert predict.run(config()) == 0
    assert not Path("out-3").exists()


def test_from_a_script_every_value_given_counts() -> None:
    cfg = OmegaConf.create({"detection": {"max_proposals": 300, "max_detections": None}})
    trained = DetectionSettings(max_proposals=77, max_detections=5)
    assert typed_settings(cfg, "detection", trained) == DetectionSettings(max_proposals=300, max_detections=5)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"source": "nothing.jpg"}, "nothing.jpg names no file"),
        ({"source": ""}, "source=PATH"),
        ({"batch_size": "0"}, "batch_size is a whole number above 0"),
        ({"image_size": "-3"}, "image_size is a whole number above 0"),
        ({"device": "tpu"}, "device=tpu"),
        ({"output.formats": "[gif]"}, "output.formats holds gif"),
        ({"precision": "fp8"}, "precision=fp8 is not known: choose among fp32, bf16, fp16"),
        ({"output.num_to_draw": "-1"}, "output.num_to_draw is a whole number"),
        ({"output.line_width": "0"}, "output.line_width is a whole number of at least 1"),
        ({"devices": "[0,1]"}, r"devices=\[0, 1\] means GPUs"),
        ({"devices": "0"}, "devices=0 means GPUs|devices=0 should be"),
        ({"devices": "many"}, "devices=many should be a number"),
        ({"devices": "2", "device": "cuda:1"}, "device=cuda:1 is one device and devices=2 are several"),
        ({"boxes": "nothing.json"}, "there is no file of boxes at nothing.json"),
        ({"output.dir": "model.ckpt/x"}, "cannot write"),
    ],
)
def test_mistakes_are_one_sentence(model: FakeModel, changes: dict[str, str], words: str) -> None:
    photos("p/a.png")
    with pytest.raises(UserError, match=words):
        predict.run(config(**changes))


def test_what_cannot_be_shared_out(model: FakeModel, monkeypatch: pytest.MonkeyPatch) -> None:
    photos("p/a.png")
    cfg = config(devices=2)
    cfg.output.dir, cfg.output.formats = "-", ["json"]
    with pytest.raises(UserError, match="go with one device"):
        predict.run(cfg)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    hydra = SimpleNamespace(overrides=SimpleNamespace(task=["source=p"]))
    monkeypatch.setattr(HydraConfig, "initialized", staticmethod(lambda: True))
    monkeypatch.setattr(HydraConfig, "get", staticmethod(lambda: hydra))
    with pytest.raises(UserError, match="need a folder that was typed"):
        predict.run(config(devices=2))


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_gpu_that_is_not_there() -> None:
    with pytest.raises(UserError, match="device=cuda cannot be used here"):
        choose_device("cuda")
    assert choose_device("auto") == torch.device("cpu")


def test_a_closed_pipe_ends_quietly(model: FakeModel, monkeypatch: pytest.MonkeyPatch) -> None:
    photos(*(f"p/{index}.png" for index in range(5)))

    class Closed:
        def write(self, text: str) -> int:
            if len(model.calls) > 1:
                raise BrokenPipeError
            return len(text)

        def flush(self) -> None: ...

    cfg = config(batch_size=1)
    cfg.output.dir, cfg.output.formats = "-", ["jsonl"]
    assert predict._predict(predict.open_job(cfg, predict.Console(stderr=True)), Closed()) == 141  # type: ignore[arg-type]
    assert len(model.calls) == 2


def test_every_format_that_needs_no_video(model: FakeModel) -> None:
    photos("p/a.png", "p/b.png")
    assert predict.run(config(**{"output.formats": "[json,jsonl,csv,coco,densecap,images,crops]"})) == 0
    files = {str(path.relative_to("out")) for path in Path("out").rglob("*") if path.is_file()}
    assert files == {
        *("journal.jsonl", "predictions.json", "predictions.jsonl", "predictions.csv", "coco_captions.json"),
        *("densecap/results.json", "densecap/a.jpg", "densecap/b.jpg", "images/a.jpg", "images/b.jpg"),
        *("crops/crops.csv", "crops/a/000_red-circle.jpg", "crops/b/000_red-circle.jpg"),
    }
    card = json.loads(Path("out/predictions.json").read_text())["model"]
    assert card["vocabulary"][:2] == ["red", "circle"] and "precision" not in card["config"]
    with Image.open("out/densecap/a.jpg") as picture:
        assert picture.size == (64, 48)


def test_a_typed_folder_is_gone_on_with_unless_something_else_is_asked(model: FakeModel) -> None:
    photos("p/a.png", "p/b.png")
    assert predict.run(config()) == predict.run(config()) == 0
    assert [count for count, *_ in model.calls] == [2]
    with pytest.raises(UserError, match=r"detection\.max_proposals was 77, is 5.*output\.resume=false"):
        predict.run(config(**{"detection.max_proposals": 5}))
    assert predict.run(config(**{"detection.max_proposals": 5, "output.resume": False})) == 0
    assert [count for count, *_ in model.calls] == [2, 2]
    Path("model.ckpt").write_bytes(b"other weights")
    with pytest.raises(UserError, match="checkpoint was"):
        predict.run(config(**{"detection.max_proposals": 5}))


def test_two_runs_do_not_write_to_one_folder(model: FakeModel) -> None:
    photos("p/a.png")
    Path("out").mkdir()
    with predict.alone_in(Path("out")), pytest.raises(UserError, match="another run writes to out now"):
        predict.run(config())


def test_leftovers_of_killed_runs_are_removed_and_nothing_else(model: FakeModel) -> None:
    photos("p/a.png")
    Path("out/images").mkdir(parents=True)
    for name in (".predictions.json.99.tmp", "images/.a.jpg.tmp", ".mine.tmp", "images/mine.jpg"):
        Path("out", name).write_bytes(b"x")
    assert predict.run(config()) == 0
    files = {str(path.relative_to("out")) for path in Path("out").rglob("*") if path.is_file()}
    assert files == {".mine.tmp", "images/mine.jpg", "images/a.jpg", "predictions.json", "journal.jsonl"}


def test_given_boxes_of_a_file(model: FakeModel, capsys: pytest.CaptureFixture[str]) -> None:
    photos("p/a.png", "p/b.png", "p/c.png")
    Path("boxes.json").write_text(json.dumps({"a.png": [[1, 2, 9, 8], [0, 0, 40, 30]], "p/b.png": [[50, 0, 60, 10]]}))
    assert predict.run(config(boxes="boxes.json")) == 1
    data = json.loads(Path("out/predictions.json").read_text())
    assert [[region["box"] for region in image["regions"]] for image in data["images"]] == [
        [[1.0, 2.0, 9.0, 8.0], [0.0, 0.0, 40.0, 30.0]],
        [],
    ]
    reason = "has 40 x 30 pixels, of which box 0 of boxes.json: 'p/b.png' covers none: [50.0, 0.0, 60.0, 10.0]"
    assert data["errors"] == [{"file": "p/b.png", "reason": reason}]
    assert data["model"]["config"]["boxes"]["file"] == "boxes.json"
    assert "boxes.json has no boxes for 1 images" in capsys.readouterr().err
    Path("boxes.json").write_text(json.dumps({"a.png": [[1, 2, 9, 8]]}))
    with pytest.raises(UserError, match="boxes was"):
        predict.run(config(boxes="boxes.json"))


def test_the_files_that_boxes_name_are_the_source_where_none_is_given(model: FakeModel) -> None:
    photos("p/a.png", "p/b.png", "p/c.png")
    Path("p/boxes.csv").write_text("file,x1,y1,x2,y2\nc.png,0,0,5,5\na.png,1,1,6,6\nc.png,2,2,7,7\n")
    assert predict.run(config(boxes="p/boxes.csv", source="")) == 0
    data = json.loads(Path("out/predictions.json").read_text())
    assert [image["file"] for image in data["images"]] == ["p/c.png", "p/a.png"]
    assert [region["box"][0] for region in data["images"][0]["regions"]] == [0.0, 2.0]


def test_typed_boxes_are_for_every_image(model: FakeModel) -> None:
    photos("p/a.png", "p/b.png")
    assert predict.run(config(boxes="[[1,2,3,4]]")) == 0
    data = json.loads(Path("out/predictions.json").read_text())
    assert [image["regions"][0]["box"] for image in data["images"]] == [[1.0, 2.0, 3.0, 4.0]] * 2
