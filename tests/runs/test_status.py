"""What status.json says about a run, and what is made of it."""

import os
import socket
import subprocess
import sys
from datetime import datetime, timedelta

import pytest

from densecap.runs.status import (
    FAILED,
    FINISHED,
    RUNNING,
    SILENCE,
    RunStatus,
    config_hash,
    process_start,
    read_status,
)
from tests.fakes.run_folders import config_of


def test_it_is_read_as_it_was_written(tmp_path):
    status = RunStatus.begin(config_of(tmp_path)).at(2, 640, {"val/loss": 1.5}).end(FAILED, "ValueError: no")
    status.write(tmp_path)
    assert read_status(tmp_path) == status
    assert [path.name for path in tmp_path.iterdir()] == ["status.json"]
    assert (status.epoch, status.step, status.host, status.pid) == (2, 640, socket.gethostname(), os.getpid())


@pytest.mark.parametrize("text", ["", "{", "[]", '{"state": "dancing"}', "{}"])
def test_what_is_no_status_is_none(tmp_path, text):
    (tmp_path / "status.json").write_text(text)
    assert read_status(tmp_path) is None
    assert read_status(tmp_path / "nowhere") is None


def test_keys_of_later_versions_do_no_harm(tmp_path):
    (tmp_path / "status.json").write_text('{"state": "finished", "mood": "good"}')
    assert read_status(tmp_path) == RunStatus(FINISHED)


def test_a_process_is_alive_until_it_ends(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        start = process_start(process.pid)
        status = RunStatus(RUNNING, pid=process.pid, process_start=start, host=socket.gethostname())
        assert status.alive() and not status.unfinished
        later = RunStatus(RUNNING, pid=process.pid, process_start=start + "1", host=socket.gethostname())
        assert not later.alive() and later.unfinished  # another process with that number
    finally:
        process.communicate(b"\n")
    assert not status.alive() and status.unfinished


def test_on_another_machine_silence_tells():
    status = RunStatus(RUNNING, host="elsewhere", updated="2026-03-01T10:00:00+00:00")
    then = datetime.fromisoformat(status.updated)
    assert status.alive(then + timedelta(seconds=SILENCE - 1))
    assert not status.alive(then + timedelta(seconds=SILENCE + 1))


def test_what_ended_is_not_alive():
    status = RunStatus.begin({})
    assert status.alive()
    assert not status.end(FINISHED).alive() and not status.end(FINISHED).unfinished
    assert status.end(FAILED).unfinished


def test_a_resume_keeps_the_beginning():
    before = RunStatus(FAILED, started="2026-03-01T10:00:00+00:00", epoch=2, step=640, best={"val/loss": 1.5})
    again = RunStatus.begin({}, before)
    assert (again.started, again.attempts, again.step, again.best) == (before.started, 2, 640, before.best)
    assert again.reason is None and again.ended is None and again.alive()


def test_the_hash_is_that_of_what_is_trained(tmp_path):
    first = config_of(tmp_path / "a")
    assert config_hash(first) == config_hash(config_of(tmp_path / "b"))
    assert config_hash(first) == config_hash({**first, "ckpt": "last.ckpt", "resume": "auto"})
    assert config_hash(first) != config_hash({**first, "optimizer": {"_target_": "torch.optim.Adam", "lr": 0.2}})
    assert config_hash(first) == config_hash(dict(reversed(first.items())))
