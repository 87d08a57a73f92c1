"""A signal ends a run between two steps, with its state saved; under SLURM the job goes back into the queue."""

import os
import signal

import pytest
import pytorch_lightning as pl
import torch

from densecap.callbacks.checkpoints import BestAndLast
from densecap.callbacks.stop_request import Stopped, requeue_job

JOB = {
    "SLURM_JOB_ID": "77",
    "SLURM_JOB_NAME": "train",
    "SLURM_NTASKS": "1",
    "SLURM_PROCID": "0",
    "SLURM_LOCALID": "0",
    "SLURM_NODEID": "0",
    "SLURM_STEP_ID": "0",
}


#: Whether Lightning was told of SIGTERM, run after run.
HEARD: list[bool] = []


class Steps(pl.LightningModule):
    """Its weight counts the optimiser steps; ``signals`` are sent to the process in the middle of a batch."""

    def __init__(self, signals):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.signals, self.seen = dict(signals), 0

    def training_step(self, batch, batch_idx):
        self.seen += 1
        if batch_idx in self.signals:
            os.kill(os.getpid(), self.signals[batch_idx])
        return -self.weight

    def validation_step(self, batch, batch_idx):
        if -1 in self.signals:
            os.kill(os.getpid(), self.signals[-1])
        self.log("val/loss", self.weight.detach(), batch_size=1)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0)


class Ended(BestAndLast):
    """The process is told to end when it is about to, as the real scontrol does with a job that it takes back."""

    def on_exception(self, trainer, pl_module, exception):
        super().on_exception(trainer, pl_module, exception)
        if getattr(exception, "requeued", False):
            os.kill(os.getpid(), signal.SIGTERM)


def fit(folder, signals, **options):
    task = Steps(signals)
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=1,
        callbacks=[Ended(str(folder), every_minutes=None)],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        **options,
    )
    loader = torch.utils.data.DataLoader(range(10), batch_size=None)
    try:
        trainer.fit(task, loader, torch.utils.data.DataLoader([0], batch_size=None))
    finally:
        HEARD.append(trainer.received_sigterm)
    return task


def saved_steps(folder):
    content = torch.load(folder / "last.ckpt", weights_only=True)
    assert content["state_dict"]["weight"].item() == content["global_step"]
    return content["global_step"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("accumulate", "steps"), [(1, 3), (2, 2)])
def test_the_step_is_finished_first(tmp_path, number, accumulate, steps):
    before = signal.getsignal(number)
    with pytest.raises(Stopped) as stopped:
        fit(tmp_path, {2: number}, accumulate_grad_batches=accumulate)
    assert stopped.value.exit_status == 128 + number
    assert saved_steps(tmp_path) == steps
    assert signal.getsignal(number) == before


def test_a_second_ctrl_c_ends_at_once(tmp_path):
    with pytest.raises(SystemExit):  # what Lightning makes of it
        fit(tmp_path, {0: signal.SIGINT, 1: signal.SIGINT}, accumulate_grad_batches=5)


def test_a_validation_is_broken_off(tmp_path):
    with pytest.raises(Stopped):
        fit(tmp_path, {-1: signal.SIGTERM}, val_check_interval=5)
    assert not (tmp_path / "last.ckpt").exists(), "what was saved before stays: nothing, in this run"


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A job of SLURM, and a scontrol that writes down what it is asked."""
    for name, value in JOB.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MASTER_PORT", "15077")
    scontrol = tmp_path / "bin" / "scontrol"
    scontrol.parent.mkdir()
    scontrol.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n')
    scontrol.chmod(0o755)
    monkeypatch.setenv("PATH", f"{scontrol.parent}:{os.environ['PATH']}")
    before = signal.getsignal(signal.SIGTERM)
    yield tmp_path
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2])
def test_slurms_warning_saves_and_requeues(slurm, number):
    with pytest.raises(Stopped) as stopped:
        fit(slurm, {4: number})
    assert stopped.value.requeued and stopped.value.exit_status == 0
    assert saved_steps(slurm) == 5
    assert (slurm / "asked").read_text() == "requeue 77\n"
    assert not list(slurm.glob("hpc_ckpt*")), "Lightning's own handler saves in the middle of a step"
    assert HEARD[-1] is False, "of several processes the first would wait for the others, which are gone"


def test_a_cancelled_job_is_saved_and_not_requeued(slurm):
    with pytest.raises(Stopped) as stopped:
        fit(slurm, {4: signal.SIGTERM})
    assert not stopped.value.requeued and saved_steps(slurm) == 5
    assert not (slurm / "asked").exists()


def test_jobs_of_an_array_have_their_own_name(slurm, monkeypatch):
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "80")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    assert requeue_job() and (slurm / "asked").read_text() == "requeue 80_3\n"
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "80; rm")
    assert not requeue_job()
