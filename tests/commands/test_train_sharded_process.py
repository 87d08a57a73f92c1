"""trainer=fsdp with two processes: checkpoints are whole files, from which the run goes on and all else works."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from densecap import checkpoint
from densecap.cli import entry
from tests.commands.test_resume_process import OPTIONS, figures, run_folders

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.long

#: Six steps an epoch; the last state but one is that of the tenth step, within the second epoch.
SHARED = [word for word in OPTIONS if "ema" not in word and "resume" not in word]
SHARED += ["trainer=fsdp", "trainer.accelerator=cpu", "trainer.devices=2", "trainer.gradient_clip_val=1.0"]
SHARED += ["callbacks.checkpoint.every_steps=2", "callbacks.learned=null"]


def train(folder, *words):
    """The folder of the run, which came to its end."""
    command = [sys.executable, str(ROOT / "train.py"), *SHARED, *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    [run] = run_folders(folder)
    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the data and one uninterrupted run."""
    folder = tmp_path_factory.mktemp("whole")
    train(folder)
    return folder


def test_a_resumed_run_does_what_the_uninterrupted_one_did(folder, tmp_path):
    shutil.copytree(folder / "data", tmp_path / "data")
    [whole] = run_folders(folder)
    states = whole / "checkpoints"
    assert checkpoint.read(states / "previous.ckpt")["global_step"] == 10
    run = train(tmp_path, f"ckpt={states / 'previous.ckpt'}")
    expected = {step: own for step, own in figures(whole).items() if step >= 10}
    assert figures(run) == expected and len(expected) >= 2
    one, other = (checkpoint.read(path / "checkpoints" / "last.ckpt") for path in (run, whole))
    assert one["global_step"] == 12 and len(one["random_state"]) == 2
    assert all(one["state_dict"][name].equal(other["state_dict"][name]) for name in other["state_dict"])
    memory = [content["optimizer_states"][0]["state"] for content in (one, other)]
    assert memory[1] and all(memory[0][key]["exp_avg"].equal(memory[1][key]["exp_avg"]) for key in memory[1])


def test_what_it_leaves_is_used_like_any_other(folder, monkeypatch, capsys):
    """Whole weights on one device: info, predict, eval and export, and training on one device goes on with it."""
    monkeypatch.chdir(folder)
    torch.set_num_threads(1)
    [run] = run_folders(folder)
    best = run / "checkpoints" / "best.ckpt"
    assert list((run / "panel").glob("*.jpg")), "the panel of the validations"
    assert entry.run([str(best)], "info") == 0
    assert "2,710,600" in capsys.readouterr().out
    photo = next((folder / "data" / "shapes" / "VG_100K").glob("*.jpg"))
    assert entry.run([f"source={photo}", f"ckpt={best}", "output.dir=said", "output.formats=[json]"], "predict") == 0
    data = ["data.reader.counts={train: 24, val: 4, test: 2}", "data=shapes", "data.image_size=96"]
    assert entry.run([f"ckpt={best}", *data, "metric=[bleu,perplexity]", "output.dir=judged"], "eval") == 0
    assert json.loads((folder / "judged" / "report.json").read_text())["model"]["perplexity"] > 1
    assert entry.run([f"ckpt={best}", "output=model"], "export") == 0
    exported, trained = checkpoint.load(folder / "model"), checkpoint.load(best)
    states = exported.model.state_dict(), trained.model.state_dict()
    assert all(states[0][name].equal(states[1][name]) for name in states[1])
