"""A run of two processes that is killed within an epoch, and goes on: to the last bit one that was never stopped."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from densecap import checkpoint
from tests.commands.test_resume_process import OPTIONS, figures, finish, run_folders, same_end, saved, start, when
from tests.fakes.started_processes import is_gone, ranks_of

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.long

#: Six steps an epoch, with a state after the second and the fourth.
TOGETHER = (
    "trainer=ddp_cpu",
    "trainer.devices=2",
    "callbacks.checkpoint.every_steps=2",
    "callbacks.learned=null",
    "metric=none",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the data and one uninterrupted run."""
    folder = tmp_path_factory.mktemp("whole")
    status, messages = finish(start(folder, *TOGETHER))
    assert status == 0, messages
    return folder


def same_run(run, folder):
    [whole] = run_folders(folder)
    assert figures(run) == figures(whole) and len(figures(run)) >= 12
    same_end(run, whole)
    states = [checkpoint.read(path / "checkpoints" / "last.ckpt")["random_state"] for path in (run, whole)]
    assert len(states[0]) == 2 and not states[0][0]["cpu"].equal(states[0][1]["cpu"]), "each draws its own numbers"
    assert all(one["cpu"].equal(other["cpu"]) for one, other in zip(*states))
    status = json.loads((run / "status.json").read_text())
    assert status["state"] == "finished" and status["attempts"] == 2


def test_killed_and_gone_on_with(folder, copy):
    process = start(copy, *TOGETHER)
    when(process, saved(copy))
    [other] = ranks_of(process).values()
    process.kill()
    assert is_gone(other, 120)
    process.communicate()
    [run] = run_folders(copy)
    assert checkpoint.read(run / "checkpoints" / "last.ckpt")["global_step"] in range(1, 6), "within the first epoch"
    status, messages = finish(start(copy, *TOGETHER))
    assert status == 0 and "going on with" in messages, messages
    assert run_folders(copy) == [run], "one run, one folder"
    same_run(run, folder)


def test_torchrun_starts_a_killed_process_again(folder, copy):
    """It ends the others and starts all of them anew, in the folder that they had."""
    words = ["--standalone", "--nproc-per-node=2", "--max-restarts=1", str(ROOT / "train.py"), *OPTIONS, *TOGETHER]
    process = subprocess.Popen(
        [sys.executable, "-m", "torch.distributed.run", *words],
        cwd=copy,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    when(process, saved(copy))
    before = ranks_of(process)
    assert sorted(before) == [0, 1]
    os.kill(before[1], signal.SIGKILL)
    status, messages = finish(process)
    assert status == 0 and messages.count("going on with") == 1, messages
    [run] = run_folders(copy)
    assert run.name.startswith("torchrun-")
    same_run(run, folder)
