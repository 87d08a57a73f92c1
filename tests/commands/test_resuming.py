"""Which run folder and which checkpoint the same command goes on with."""

import os
import subprocess
import sys
import time

import pytest
import torch
from omegaconf import OmegaConf
from rich.console import Console

from densecap.cli import run_folder
from densecap.cli.composition import compose
from densecap.commands.resuming import checkpoint_to_resume, is_finished, newest_whole
from densecap.commands.unfinished import hash_of, unfinished_folder
from densecap.errors import UserError
from densecap.runs.status import FAILED, FINISHED, RunStatus, config_hash

OPTIONS = ["experiment=quickstart", "resume=auto"]


def config(*words):
    return compose("train", [*OPTIONS, *words])


def resolved(folder, *words):
    """The config as a running command sees it."""
    return OmegaConf.to_container(config(*words, f"paths.output_dir={folder}"), resolve=True)


def make_run(folder, *words, state=None, pid=0):
    folder.mkdir(parents=True)
    status = RunStatus.begin({**resolved(folder, *words), "choices": {"model": "x"}})
    status = status.end(state) if state else status
    RunStatus(**{**vars(status), "pid": pid or status.pid, "process_start": "none" if not pid else "1"}).write(folder)
    return folder


def test_the_hash_is_that_of_the_run(tmp_path):
    assert hash_of(config()) == config_hash(resolved(tmp_path / "a")) == config_hash(resolved(tmp_path / "b"))
    assert hash_of(config("optimizer.lr=1e-4")) != hash_of(config())
    assert hash_of(config("resume=null")) == hash_of(config())


def test_the_newest_unfinished_run_of_the_same_options(tmp_path):
    assert unfinished_folder(tmp_path / "none", config()) is None
    make_run(tmp_path / "finished", state=FINISHED)
    make_run(tmp_path / "other", "seed=5")
    assert unfinished_folder(tmp_path, config()) is None
    make_run(tmp_path / "b-killed")
    wanted = make_run(tmp_path / "a-failed", state=FAILED)
    os.utime(tmp_path / "b-killed" / "status.json", (time.time() - 50, time.time() - 50))
    (tmp_path / "empty").mkdir()
    assert unfinished_folder(tmp_path, config()) == wanted


def test_two_commands_do_not_go_on_with_one_run(tmp_path):
    """The system forgets the first one's claim when its process ends."""
    make_run(tmp_path / "killed")
    code = (
        "import sys; from pathlib import Path; from densecap.commands.unfinished import _hold;"
        "print(_hold(Path(sys.argv[1])), flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "killed")]
    other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "True\n"
    assert unfinished_folder(tmp_path, config()) is None
    other.kill()
    other.wait()
    assert unfinished_folder(tmp_path, config()) == tmp_path / "killed"


def test_a_given_folder_has_to_be_a_run(tmp_path):
    with pytest.raises(UserError, match="is not the folder of a training run"):
        run_folder._earlier_folder(config(f"resume={tmp_path}"), "train")
    (tmp_path / "checkpoints").mkdir()
    assert run_folder._earlier_folder(config(f"resume={tmp_path}"), "train") == str(tmp_path)


def write_checkpoint(path, step):
    path.parent.mkdir(exist_ok=True)
    own = {"version": 1, "config": {"model": {"_target_": "x"}}, "words": [], "data_name": ""}
    weights = {"state_dict": {"model.a": torch.zeros(9000)}, "densecap": own, "optimizer_states": [], "step": step}
    torch.save(weights, path)
    return path


def heard(folder):
    console = Console(record=True, width=300, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    return newest_whole(folder, console), console.export_text()


def test_a_checkpoint_that_was_cut_short_is_named_and_the_one_before_it_taken(tmp_path):
    assert heard(tmp_path) == (None, "")
    last = write_checkpoint(tmp_path / "checkpoints" / "last.ckpt", 4)
    before = write_checkpoint(tmp_path / "checkpoints" / "previous.ckpt", 2)
    assert heard(tmp_path) == (last, "")
    last.write_bytes(last.read_bytes()[:20000])
    path, sentence = heard(tmp_path)
    assert path == before
    assert f"{last} cannot be read as a checkpoint" in sentence and "going on from the one before it" in sentence
    last.write_bytes(b"")
    assert heard(tmp_path)[0] == before
    last.unlink()  # killed between two renames
    assert heard(tmp_path) == (before, "")
    before.write_bytes(b"PK")
    with pytest.raises(UserError, match="no checkpoint of .* can be read; start anew without resume="):
        heard(tmp_path)


def test_what_contradicts_is_said(tmp_path):
    console = Console(quiet=True)
    folder = make_run(tmp_path / "run", "seed=5", state=FAILED)
    with pytest.raises(UserError, match="is the run of another configuration"):
        checkpoint_to_resume(config(), resolved(folder), folder, console)
    with pytest.raises(UserError, match="leave out ckpt="):
        checkpoint_to_resume(config("ckpt=last"), resolved(folder), folder, console)
    with pytest.raises(UserError, match="give one of them"):
        checkpoint_to_resume(config("ckpt=last", "init=a.ckpt", "resume=null"), resolved(folder), folder, console)
    assert checkpoint_to_resume(config("seed=5"), resolved(folder, "seed=5"), folder, console) is None
    assert not is_finished(config(), folder)
    done = make_run(tmp_path / "done", state=FINISHED)
    assert is_finished(config(), done) and not is_finished(config("resume=null"), done)
