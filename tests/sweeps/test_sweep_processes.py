"""Sweeps as a user starts them: killed and resumed, with a crash, with several ranks, with a process for each job."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest

from densecap.cli.entry import run

ROOT = Path(__file__).parents[2]
SMALL = [
    "experiment=quickstart",
    "data.reader.counts={train: 8, val: 2, test: 2}",
    "data.image_size=128",
    "data.num_workers=0",
    "callbacks.learned=null",
    "logger=none",
    "trainer.max_epochs=2",
    "trainer.limit_train_batches=1",
]
SEARCH = [
    *SMALL,
    "hparams_search=densecap_optuna",
    "optimized_metric=val/loss",
    "hydra/launcher=basic",
    "hydra.sweeper.pruner.name=none",
]

#: train.py that also writes, from every rank, the learning rate it trained with and the sum of the weights it got.
SPY = """
import json, os
from pathlib import Path
from densecap.cli import launch, main

def call(request, config):
    import pytorch_lightning as pl
    fit = pl.Trainer.fit
    def spied(trainer, task, *words, **options):
        fit(trainer, task, *words, **options)
        told = {"lr": trainer.optimizers[0].defaults["lr"],
                "sum": float(sum(weights.detach().double().sum() for weights in task.parameters()))}
        Path(trainer.default_root_dir, f"rank{trainer.global_rank}.json").write_text(json.dumps(told))
    pl.Trainer.fit = spied
    try:
        return original(request, config)
    finally:
        pl.Trainer.fit = fit

original, launch._call = launch._call, call
if __name__ == "__main__":
    main("train")
"""


def command(*words, script=ROOT / "train.py"):
    return [sys.executable, str(script), *words]


def environment():
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def shell(folder, *words, script=ROOT / "train.py"):
    options = {"timeout": 280, "capture_output": True, "text": True}
    return subprocess.run(command(*words, script=script), cwd=folder, env=environment(), check=False, **options)


def trials(folder, name):
    storage = f"sqlite:///{folder}/outputs/sweeps/{name}/study.db"
    return optuna.load_study(study_name=name, storage=storage).get_trials()


@pytest.mark.long
def test_a_killed_search_resumes_and_its_report_names_what_is_best(tmp_path, capsys):
    words = ["-m", *SEARCH, "hydra.sweeper.n_trials=3"]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command(*words), cwd=tmp_path, env=environment(), stdout=log, stderr=log)
        second = tmp_path / "outputs" / "sweeps" / "densecap_optuna" / "1" / "config.yaml"
        deadline = time.monotonic() + 250
        while not second.exists():
            assert process.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()[-3000:]
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
    before = trials(tmp_path, "densecap_optuna")
    assert [trial.state.name for trial in before] == ["COMPLETE", "RUNNING"]
    done = shell(tmp_path, *words)
    assert done.returncode == 0, done.stderr[-3000:]
    after = trials(tmp_path, "densecap_optuna")
    assert [trial.state.name for trial in after] == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert after[0].datetime_complete == before[0].datetime_complete
    assert after[2].params == after[1].params and "killed" in after[1].user_attrs["error"]
    assert all(len(trial.intermediate_values) == 2 for trial in after if trial.state.name == "COMPLETE")
    assert run(["sweep_report", str(tmp_path / "outputs" / "sweeps" / "densecap_optuna")]) == 0
    best = min((trial for trial in after if trial.value is not None), key=lambda trial: trial.value)
    first = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("python train.py"))
    assert f"optimizer.lr={best.params['optimizer.lr']!r}" in first


@pytest.mark.long
def test_of_three_runs_one_crashes_and_the_others_go_on(tmp_path):
    done = shell(tmp_path, "-m", *SMALL, "trainer.max_epochs=1", "optimizer.lr=1e-3,-1,1e-4", "hydra.sweep.dir=grid")
    assert done.returncode == 1
    assert "densecap: job 1 failed (optimizer.lr=-1): ValueError: Invalid learning rate: -1" in done.stderr
    assert "2 of 3 jobs succeeded" in done.stderr.splitlines()[-1]
    for number, status in enumerate((0, 1, 0)):
        assert json.loads((tmp_path / "grid" / str(number) / "outcome.json").read_text())["status"] == status
        assert (tmp_path / "grid" / str(number) / "checkpoints" / "best.ckpt").exists() == (status == 0)


@pytest.mark.long
def test_every_rank_of_a_trial_trains_with_the_parameters_of_that_trial(tmp_path):
    (tmp_path / "spy.py").write_text(SPY, encoding="utf-8")
    words = ["-m", *SEARCH, "hydra.sweeper.n_trials=2", "hydra.sweeper.sampler.seed=null", "trainer=ddp_cpu"]
    words += ["trainer.devices=2"]
    done = shell(tmp_path, *words, "trainer.max_epochs=1", script=tmp_path / "spy.py")
    assert done.returncode == 0, done.stderr[-3000:]
    rates = []
    for trial in trials(tmp_path, "densecap_optuna"):
        folder = tmp_path / "outputs" / "sweeps" / "densecap_optuna" / str(trial.number)
        ranks = [json.loads((folder / f"rank{rank}.json").read_text()) for rank in range(2)]
        assert ranks[0] == ranks[1] and ranks[0]["lr"] == trial.params["optimizer.lr"]
        rates.append(ranks[0]["lr"])
    assert len(set(rates)) == 2
    assert [path.name for path in (tmp_path / "outputs").iterdir()] == ["sweeps"]
