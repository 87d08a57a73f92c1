"""predict.py as a process of its own: a real checkpoint, standard output into a pipe, Ctrl-C."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from PIL import Image

from densecap.checkpoint import build_model, card
from densecap.text.vocabulary import Vocabulary

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a checkpoint of random weights under outputs/ and pictures under photos/."""
    here = tmp_path_factory.mktemp("predict")
    with initialize_config_dir(str(ROOT / "configs"), version_base="1.3"):
        cfg = compose("train", ["experiment=quickstart", "paths.output_dir=x"])
    groups = ("model", "data", "detection", "generation")
    config = {name: OmegaConf.to_container(cfg[name], resolve=True) for name in groups}
    torch.manual_seed(0)
    vocabulary = Vocabulary(["a", "red", "circle"])
    model = build_model(config["model"], vocabulary, pretrained=False)
    weights = {f"model.{key}": value for key, value in model.state_dict().items()}
    checkpoint = here / "outputs" / "train" / "run" / "checkpoints" / "best.ckpt"
    checkpoint.parent.mkdir(parents=True)
    torch.save({"state_dict": weights, "densecap": card(config, model)}, checkpoint)
    (here / "photos").mkdir()
    for index in range(40):
        Image.effect_noise((120, 90), 80).convert("RGB").save(here / "photos" / f"{index}.png")
    (here / "photos" / "it's (1), [x] #=é.jpg").write_bytes(b"not a picture")
    return here


def command(*options: str) -> list[str]:
    return [sys.executable, str(ROOT / "predict.py"), "detection.max_detections=3", "device=cpu", *options]


def test_folder_to_files(folder: Path) -> None:
    done = subprocess.run(command("source=photos"), cwd=folder, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    data = json.loads((folder / "outputs/predict/predictions.json").read_text(encoding="utf-8"))
    assert [image["image_id"] for image in data["images"]] == [str(index) for index in range(40)]
    assert all(1 <= len(image["regions"]) <= 3 for image in data["images"])
    assert all(0 <= value <= 120 for image in data["images"] for region in image["regions"] for value in region["box"])
    assert data["errors"][0]["file"] == "photos/it's (1), [x] #=é.jpg"
    assert data["model"]["config"]["detection"]["max_detections"] == 3
    assert len(list((folder / "outputs/predict/images").iterdir())) == 40
    assert "using the newest checkpoint" in done.stderr and "coloured shapes" in done.stderr


def test_standard_output_into_a_pipe_that_closes(folder: Path) -> None:
    options = ("source=photos/?.png", "output.formats=[jsonl]", "output.dir=-", "batch_size=1")
    process = subprocess.Popen(command(*options), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stderr is not None
    first = json.loads(process.stdout.readline())
    process.stdout.close()
    assert first["image_id"] == "0" and len(first["regions"]) == 3
    assert process.wait(120) == 141
    assert "Traceback" not in process.stderr.read()


def test_ctrl_c_keeps_what_is_done(folder: Path) -> None:
    out = folder / "stopped"
    options = ("source=photos", f"output.dir={out}", "batch_size=1", "output.formats=[json,images]")
    process = subprocess.Popen(command(*options), cwd=folder, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (out / "images" / "0.jpg").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, messages = process.communicate(timeout=120)
    data = json.loads((out / "predictions.json").read_text(encoding="utf-8"))
    assert process.returncode == 130, messages
    assert "interrupted after" in messages
    assert data["complete"] is False and 1 <= len(data["images"]) < 40
    assert {path.name for path in out.iterdir()} == {"predictions.json", "images"}
