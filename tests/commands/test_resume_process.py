"""A run that is killed, stopped or preempted, and the same command again: the figures of an uninterrupted run."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from densecap import checkpoint

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.long

#: Twelve steps an epoch on small pictures; dropout and region sampling draw random numbers.
OPTIONS = [
    "experiment=quickstart",
    "data.reader.counts={train: 24, val: 4, test: 2}",
    "data.batch_size=2",
    "data.image_size=96",
    "data.flip=true",
    "model.decoder.dropout=0.2",
    "trainer.log_every_n_steps=1",
    "trainer.max_epochs=2",
    "trainer.val_check_interval=0.5",
    "callbacks=ema",
    "callbacks.ema.decay=0.9",
    "callbacks.checkpoint.every_steps=4",
    "logger=csv",
    "resume=auto",
]


def start(folder, *words, environment=None):
    command = [sys.executable, str(ROOT / "train.py"), *OPTIONS, *words]
    return subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )


def finish(process):
    _, messages = process.communicate(timeout=200)
    return process.returncode, " ".join(messages.split())


def run_folders(folder):
    return sorted(path for path in (folder / "outputs" / "train").glob("*") if path.is_dir())


def when(process, condition, seconds=150):
    deadline = time.monotonic() + seconds
    while process.poll() is None and not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert process.poll() is None, process.stderr.read()


def saved(folder, name="previous.ckpt", count=1):
    return lambda: len(list(folder.glob(f"outputs/train/*/checkpoints/{name}"))) >= count


def figures(run):
    """What metrics.csv says of every step: all columns with "loss" in their names."""
    found = {}
    with (run / "csv" / "metrics.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            own = {name: float(value) for name, value in row.items() if "loss" in name and value}
            found.setdefault(int(row["step"]), {}).update(own)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the data and one uninterrupted run."""
    folder = tmp_path_factory.mktemp("whole")
    status, messages = finish(start(folder))
    assert status == 0, messages
    return folder


def same_end(run, whole):
    """All weights, those in training and their average, and what the optimiser remembers."""
    one, other = (checkpoint.read(path / "checkpoints" / "last.ckpt") for path in (run, whole))
    for key in ("state_dict", "current_model_state"):
        assert all(one[key][name].equal(other[key][name]) for name in other[key]), key
    states = [content["optimizer_states"][0]["state"] for content in (one, other)]
    assert all(states[0][key]["exp_avg"].equal(states[1][key]["exp_avg"]) for key in states[1])
    assert one["lr_schedulers"] == other["lr_schedulers"]


def test_killed_then_stopped_then_with_a_checkpoint_cut_short(folder, copy):
    process = start(copy)
    when(process, saved(copy))  # two states are there, both within the first epoch
    process.kill()
    finish(process)
    [run] = run_folders(copy)
    first = checkpoint.read(run / "checkpoints" / "last.ckpt")["global_step"]

    process = start(copy)
    when(process, lambda: json.loads((run / "status.json").read_text())["attempts"] == 2)
    when(process, lambda: checkpoint.read(run / "checkpoints" / "last.ckpt")["global_step"] > first)
    process.send_signal(signal.SIGTERM)
    status, messages = finish(process)
    assert status == 128 + signal.SIGTERM and "Traceback" not in messages, messages
    assert "going on with" in messages and "stopped by SIGTERM; the same command with resume=auto goes on" in messages
    assert json.loads((run / "status.json").read_text())["state"] == "interrupted"

    last = run / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:50_000])
    status, messages = finish(start(copy))
    assert status == 0, messages
    assert f"{last} cannot be read as a checkpoint" in messages and "going on from the one before it" in messages
    assert run_folders(copy) == [run], "one run, one folder"
    [whole] = run_folders(folder)
    assert figures(run) == figures(whole)
    same_end(run, whole)
