"""Training as a user starts it, with every logger at once, without a network; and a look at a batch."""

import csv
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from PIL import Image

ROOT = Path(__file__).parents[2]
SMALL = [
    "experiment=quickstart",
    "data.reader.counts={train: 4, val: 2, test: 1}",
    "data.batch_size=2",
    "trainer.log_every_n_steps=1",
    "callbacks.learned=null",
    "print_config=false",
]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "WANDB_SILENT": "true", "PYTHONPATH": str(ROOT)}


def densecap(folder, *words):
    return subprocess.run(
        [sys.executable, "-m", "densecap", *words],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder in which a run of two epochs was logged to everything that is installed."""
    folder = tmp_path_factory.mktemp("work")
    mlflow = ",mlflow" if importlib.util.find_spec("mlflow") else ""
    loggers = f"logger=[csv,tensorboard,wandb_offline{mlflow}]"
    done = densecap(folder, "train", *SMALL, loggers, "trainer.max_epochs=2", "metric=bleu")
    assert done.returncode == 0, done.stderr
    return folder


def newest(folder):
    return max((folder / "outputs" / "train").iterdir(), key=lambda run: run.stat().st_mtime)


@pytest.mark.long
def test_the_run_folder_shows_the_run(folder):
    (run,) = (folder / "outputs" / "train").iterdir()
    assert {path.name for path in (run / "panel").iterdir()} == {"epoch_1.jpg", "epoch_2.jpg"}
    with Image.open(run / "curves.png") as picture:
        assert picture.width > 1000
    status = json.loads((run / "status.json").read_text())
    assert (status["state"], status["epoch"], status["step"]) == ("finished", 2, 4)


@pytest.mark.long
def test_wandb_wrote_everything_here(folder):
    """The boxes lie beside the binary log as JSON; the log itself holds names of figures and the configuration."""
    (run,) = (folder / "outputs" / "train").iterdir()
    (offline,) = (run / "wandb").glob("offline-run-*")
    boxes = [json.loads(path.read_text()) for path in offline.rglob("*.boxes2D.json")]
    captions = [item["box_caption"] for own in boxes for item in own["box_data"]]
    assert boxes[0]["class_labels"] == {"0": "predicted", "1": "true"} and "" not in captions
    assert {caption.split()[-1] for caption in captions} & {"circle", "square", "star", "heart", "cross", "ring"}
    assert len(list(offline.rglob("*.png"))) >= 2
    log = next(offline.glob("*.wandb")).read_bytes()
    for name in ("train/loss_caption", "val/BLEU-4", "speed/images_per_second", "lr-AdamW/pg1", "warmup_steps"):
        assert name.encode() in log, name
    assert (run / "wandb" / "run_id").read_text().strip() in offline.name


@pytest.mark.long
def test_mlflow_wrote_everything_here(folder):
    pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
    (run,) = (folder / "outputs" / "train").iterdir()
    (kept,) = (folder / "outputs" / "mlruns").glob(f"*/{(run / 'mlflow_run').read_text().strip()}")
    assert (kept / "params" / "choices" / "model.decoder").read_text() == "lstm_small"
    assert {path.name for path in (kept / "artifacts" / "panel").iterdir()} == {"epoch_1.jpg", "epoch_2.jpg"}
    for name in ("train/loss", "val/BLEU-4", "speed/data_wait_share", "memory/process_GiB"):
        lines = (kept / "metrics" / name).read_text().splitlines()
        assert int(lines[-1].split()[2]) == 3, name  # time, value, step
    assert yaml.safe_load((kept / "meta.yaml").read_text())["status"] == 3  # finished


@pytest.mark.long
def test_a_killed_run_is_listed_as_such(folder):
    command = [sys.executable, "-m", "densecap", "train", *SMALL, "trainer.max_epochs=100000"]
    process = subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    first, deadline = newest(folder), time.monotonic() + 200
    while newest(folder) == first or not (newest(folder) / "panel" / "epoch_1.jpg").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.5)
    assert _states(folder) == ["running", "finished"]
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert _states(folder) == ["killed", "finished"]


def _states(folder):
    done = densecap(folder, "runs", "format=json")
    assert done.returncode == 0, done.stderr
    return [row["state"] for row in json.loads(done.stdout)]


@pytest.mark.long
def test_data_is_drawn_instead_of_trained_on(folder):
    done = densecap(folder, "train", *SMALL, "debug=data")
    assert done.returncode == 0, done.stderr
    run = newest(folder)
    with Image.open(run / "batch_1.jpg") as sheet:
        assert sheet.width > 900
    assert not (run / "checkpoints").exists() and "2 images padded to 256 x 256 pixels" in done.stderr


@pytest.mark.long
def test_four_batches_are_learned_by_heart(folder):
    done = densecap(folder, "train", *SMALL, "debug=overfit", "metric=bleu", "logger=csv", "trainer.max_epochs=12")
    assert done.returncode == 0, done.stderr
    rows = [row for row in csv.DictReader((newest(folder) / "csv" / "metrics.csv").open()) if row.get("val/loss")]
    losses = [float(row["val/loss"]) for row in rows]
    assert len(losses) == 12 and losses[-1] < 0.7 * losses[0], losses
