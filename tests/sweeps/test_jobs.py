"""Jobs of a sweep: what they leave behind, the launcher that gives each a process, and what is said at the end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from densecap.errors import UserError
from densecap.runs.status import process_start
from densecap.sweeps.conclusion import conclude
from densecap.sweeps.failures import of_process, sentence
from densecap.sweeps.job import MARK, run_job
from densecap.sweeps.outcome import Outcome, read_outcome, write_outcome
from tests.fakes.sweeps import make_grid

ROOT = Path(__file__).parents[2]


def raising(error):
    def command():
        raise error

    return command


def test_an_outcome_says_how_a_job_ended(tmp_path):
    assert run_job(lambda: 0, tmp_path, ["seed=1"], survive=True) == 0
    outcome = read_outcome(tmp_path)
    assert (outcome.status, outcome.error, outcome.overrides) == (0, None, ["seed=1"])
    assert run_job(raising(RuntimeError("CUDA out of memory.\n Tried 3 GiB")), tmp_path, [], survive=True) == 1
    assert read_outcome(tmp_path).error == "out of memory: CUDA out of memory. Tried 3 GiB"
    assert run_job(lambda: 3, tmp_path, [], survive=True) == 3
    assert read_outcome(tmp_path).error == "it ended with status 3"


def test_a_job_alone_in_its_process_keeps_its_exception(tmp_path):
    for error in (ValueError("no"), UserError("there is no folder x")):
        with pytest.raises(type(error)):
            run_job(raising(error), tmp_path, [], survive=False)
    assert read_outcome(tmp_path) == Outcome(2, "there is no folder x", *times(tmp_path), [])


def times(folder):
    return read_outcome(folder).started, read_outcome(folder).finished


@pytest.mark.parametrize("command", [raising(KeyboardInterrupt()), lambda: 130, lambda: 143])
def test_a_stopped_job_ends_the_sweep(command, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run_job(command, tmp_path, [], survive=True)
    assert read_outcome(tmp_path).error == "interrupted"


def test_sentences_are_short_and_on_one_line():
    assert sentence(ValueError("a\n b")) == "ValueError: a b"
    assert sentence(KeyError()) == "KeyError"
    assert len(sentence(ValueError("x" * 999))) == 240
    assert "SIGKILL" in of_process(-9) and "memory" in of_process(-9) and "SIGSEGV" in of_process(-11)


@pytest.mark.parametrize(
    ("searches", "statuses", "status"), [(0, (0, 2), 2), (1, (0, 1), 0), (1, (1, 1), 1), (0, (0,), 0)]
)
def test_each_failure_is_named_at_the_end(searches, statuses, status, tmp_path, capsys):
    for number, own in enumerate(statuses):
        (tmp_path / str(number)).mkdir()
        error = "it broke" if own else None
        write_outcome(tmp_path / str(number), Outcome(own, error, 5.0, 9.0, ["seed=1", f"optimizer.lr={number}"]))
    assert conclude(tmp_path, 0.0, bool(searches)) == status
    said = capsys.readouterr().err
    failed = [number for number, own in enumerate(statuses) if own]
    assert [f"job {number} failed (optimizer.lr={number}): it broke" in said for number in failed] == [True] * len(
        failed
    )
    assert f"{len(statuses) - len(failed)} of {len(statuses)} jobs succeeded" in said
    assert conclude(tmp_path, 10.0, False) == 0  # all of an earlier sweep


def test_a_process_for_each_job(tmp_path):
    """With a command that is done at once: one job succeeds, one fails, and both are told apart."""
    make_grid(tmp_path / "grid")
    words = ["sweep_report", "grid", "-m", "hydra/launcher=process", "output=choice('a.html','grid/0/outcome.json/b')"]
    done = subprocess.run(
        [sys.executable, "-m", "densecap", *words, "hydra.launcher.n_jobs=2", "hydra.sweep.dir=sweep"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 2, done.stderr
    assert "densecap: job 1 failed (output='grid/0/outcome.json/b'): cannot write" in done.stderr
    assert "1 of 2 jobs succeeded" in done.stderr.splitlines()[-1] and (tmp_path / "a.html").exists()
    assert [read_outcome(tmp_path / "sweep" / name).status for name in "01"] == [0, 2]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells a process that its parent has ended")
def test_a_job_ends_with_its_sweep():
    child = (
        "import os, time; from densecap.sweeps.job import follow_parent; follow_parent(os.environ);"
        "print(os.getpid(), flush=True); time.sleep(60)"
    )
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    environment = {**os.environ, MARK: "1", "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True, env=environment)
    pid = int(process.stdout.readline())
    assert process_start(pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 30
    while process_start(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not process_start(pid)
