"""predict.py as a process of its own: a real checkpoint, output into a pipe, Ctrl-C, kills, several processes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
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
    assert {path.name for path in out.iterdir()} == {"predictions.json", "images", "journal.jsonl"}


#: Small pictures for a small network, one at a time and each by one thread, so that every run computes the very same
#: numbers; not so small that all are done before a signal comes.
QUICK = ("image_size=128", "batch_size=1", "detection.max_proposals=100")
EVERYTHING = "output.formats=[json,jsonl,csv,coco,densecap,images,crops]"


def wait_for(condition, process: subprocess.Popen, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)


def lines_in(folder: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in folder.glob("journal*.jsonl"))


def contents(folder: Path) -> dict[str, bytes]:
    """All files but journals, without the times in predictions.json."""
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    data = json.loads(found["predictions.json"])
    data.pop("timing")
    return {name: own for name, own in found.items() if not name.startswith("journal")} | {
        "predictions.json": json.dumps(data).encode()
    }


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="module")
def whole(folder: Path) -> dict[str, bytes]:
    """What one uninterrupted process writes about the photos."""
    done = subprocess.run(command("source=photos", "output.dir=whole", EVERYTHING, *QUICK), cwd=folder)
    assert done.returncode == 1
    found = contents(folder / "whole")
    assert len(json.loads(found["predictions.json"])["images"]) == 40
    return found


def test_a_killed_run_goes_on_to_the_same_files(folder: Path, whole: dict[str, bytes]) -> None:
    out, options = folder / "killed", ("source=photos", "output.dir=killed", EVERYTHING, *QUICK)
    for lines in (5, 12):
        process = subprocess.Popen(command(*options), cwd=folder, stderr=subprocess.DEVNULL)
        wait_for(lambda lines=lines: lines_in(out) > lines, process)
        process.kill()
        process.wait(30)
        assert lines_in(out) > lines and not (out / "predictions.json").exists()
    done = subprocess.run(command(*options), cwd=folder, capture_output=True, text=True)
    assert done.returncode == 1 and "were done before" in done.stderr, done.stderr
    assert contents(out) == whole


def test_a_thousand_files_of_which_ten_are_broken(folder: Path) -> None:
    photos = folder / "thousand"
    photos.mkdir()
    for index in range(1000):
        Image.new("RGB", (32, 24), (index % 256, index % 7 * 30, 90)).save(photos / f"{index}.png")
    broken = [str(Path("thousand") / f"{index}.png") for index in range(7, 1000, 100)]
    for name in broken:
        (folder / name).write_bytes(b"no picture")
    options = ("source=thousand", "output.dir=thousand-out", "output.formats=[json]", "image_size=32", "batch_size=16")
    options = (*options, "detection.max_proposals=10")
    seen = []
    for said in ("described 990 images", "990 images were done before"):
        done = subprocess.run(command(*options), cwd=folder, capture_output=True, text=True)
        assert done.returncode == 1, done.stderr
        sentences = [line for line in done.stderr.splitlines() if line.startswith("skipped: ")]
        assert sentences == [f"skipped: {name} is not an image in a known format" for name in broken]
        assert said in done.stderr and "10 of 1000 files could not be read" in done.stderr
        data = json.loads((folder / "thousand-out/predictions.json").read_text(encoding="utf-8"))
        assert len(data["images"]) == 990 and len(data["errors"]) == 10 and data["complete"]
        seen.append(data["images"])
    assert seen[0] == seen[1] and "described" not in done.stderr


def test_two_processes_say_what_one_says(folder: Path, whole: dict[str, bytes]) -> None:
    options = ("source=photos", "output.dir=two", EVERYTHING, *QUICK, "devices=2")
    done = subprocess.run(command(*options), cwd=folder, capture_output=True, text=True, timeout=250)
    assert done.returncode == 1, done.stderr
    assert contents(folder / "two") == whole
    counts = [path.read_bytes().count(b"\n") - 1 for path in sorted((folder / "two").glob("journal*.jsonl"))]
    assert counts == [20, 20], "each image once"
    assert "described 40 images" in done.stderr and done.stderr.count("skipped: ") == 1


def test_seven_images_on_two_processes_are_seven_in_a_fresh_folder(folder: Path) -> None:
    photos = folder / "seven"
    photos.mkdir()
    for index in range(7):
        Image.effect_noise((60, 40), 80).convert("RGB").save(photos / f"{index}.png")
    options = ("source=seven", "paths.outputs=fresh", "ckpt=outputs", "output.formats=[json]", *QUICK, "devices=2")
    done = subprocess.run(command(*options), cwd=folder, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (folder / "fresh").iterdir()] == ["predict"]
    data = json.loads((folder / "fresh/predict/predictions.json").read_text(encoding="utf-8"))
    assert [image["image_id"] for image in data["images"]] == [str(index) for index in range(7)]
    assert data["timing"]["images"] == 7 and "earlier" not in data["timing"]


def test_two_processes_are_stopped_and_go_on_as_one(folder: Path, whole: dict[str, bytes]) -> None:
    out, options = folder / "stopped-two", ("source=photos", "output.dir=stopped-two", EVERYTHING, *QUICK)
    process = subprocess.Popen(command(*options, "devices=2"), cwd=folder, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: lines_in(out) > 8, process)
    process.send_signal(signal.SIGINT)
    _, messages = process.communicate(timeout=120)
    assert process.returncode == 130, messages
    data = json.loads((out / "predictions.json").read_text(encoding="utf-8"))
    assert data["complete"] is False and 6 <= len(data["images"]) < 40 and "Traceback" not in messages
    done = subprocess.run(command(*options), cwd=folder, capture_output=True, text=True)
    assert done.returncode == 1 and "were done before" in done.stderr, done.stderr
    assert contents(out) == whole


@pytest.mark.parametrize("victim", ["first", "second"])
def test_when_a_process_is_killed_no_other_waits_for_it(folder: Path, victim: str, whole: dict[str, bytes]) -> None:
    out, options = folder / f"killed-{victim}", ("source=photos", f"output.dir=killed-{victim}", EVERYTHING, *QUICK)
    process = subprocess.Popen(command(*options, "devices=2"), cwd=folder, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: lines_in(out) > 8, process)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(children) == 1
    os.kill(process.pid if victim == "first" else int(children[0]), signal.SIGKILL)
    assert process.wait(60) in (2, -signal.SIGKILL)
    deadline = time.monotonic() + 60
    while Path(f"/proc/{children[0]}").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not Path(f"/proc/{children[0]}").exists()
    done = subprocess.run(command(*options, "devices=2"), cwd=folder, capture_output=True, text=True, timeout=250)
    assert done.returncode == 1, done.stderr
    assert contents(out) == whole


def test_two_shards_at_the_same_time_say_what_one_command_says(folder: Path, whole: dict[str, bytes]) -> None:
    """Two processes that know nothing of each other; each picture is described once."""
    options = ("source=photos", "output.dir=shards", "output.formats=[json]", *QUICK)
    started = [
        subprocess.Popen(command(*options, f"shard={index}/2"), cwd=folder, stderr=subprocess.PIPE, text=True)
        for index in range(2)
    ]
    messages = [process.communicate(timeout=200)[1] for process in started]
    assert sorted(process.returncode for process in started) == [0, 1], messages  # one has the file that is no picture
    shards = [folder / "shards" / f"shard-{index}-of-2" for index in range(2)]
    found = [json.loads((shard / "predictions.json").read_text(encoding="utf-8"))["images"] for shard in shards]
    images = {image["image_id"]: image for image in [*found[0], *found[1]]}
    assert len(found[0]) + len(found[1]) == len(images) == 40
    assert list(images[str(index)] for index in range(40)) == json.loads(whole["predictions.json"])["images"]
    assert all(len(list(shard.glob("journal*.jsonl"))) == 1 for shard in shards)
