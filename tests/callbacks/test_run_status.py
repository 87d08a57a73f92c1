"""status.json while a run goes on and after it has ended, in every way it may end."""

import pytest
import pytorch_lightning as pl
import torch

from densecap.callbacks.run_status import RunStatusFile
from densecap.callbacks.stop_request import Stopped
from densecap.runs.status import FAILED, FINISHED, INTERRUPTED, RUNNING, config_hash, read_status


class Task(pl.LightningModule):
    """Raises ``error`` at step ``at``; its validation loss is 3, 1, 2."""

    def __init__(self, error=None, at=3, folder=None):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.error, self.at, self.folder = error, at, folder
        self.config = {"seed": 1, "paths": {"output_dir": "x"}}
        self.seen = []

    def training_step(self, batch, batch_idx):
        self.seen.append(read_status(self.folder))
        if self.error is not None and self.global_step == self.at:
            raise self.error
        return self.weight * 0

    def validation_step(self, batch, batch_idx):
        self.log("val/loss", (3.0, 1.0, 2.0)[self.current_epoch], batch_size=1)
        self.log("val/CIDEr", (0.1, 0.5, 0.3)[self.current_epoch], batch_size=1)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0)


def fit(folder, error=None, callbacks=(), **options):
    loader = torch.utils.data.DataLoader([0, 1], batch_size=None)
    trainer = pl.Trainer(
        max_epochs=3,
        accelerator="cpu",
        callbacks=[RunStatusFile(seconds=0.0, **options), *callbacks],
        logger=False,
        default_root_dir=folder,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    task = Task(error, folder=folder)
    trainer.fit(task, loader, loader)
    return task


def test_a_run_that_comes_to_its_end(tmp_path):
    task = fit(tmp_path)
    status = read_status(tmp_path)
    assert (status.state, status.epoch, status.step, status.reason) == (FINISHED, 3, 6, None)
    assert status.best == {"val/loss": 1.0, "val/CIDEr": 0.5}
    assert status.config_hash == config_hash(task.config) and status.ended is not None
    assert {seen.state for seen in task.seen} == {RUNNING}
    assert [seen.step for seen in task.seen] == [0, 1, 2, 3, 4, 5] and all(seen.alive() for seen in task.seen)


def test_a_run_that_fails_says_why(tmp_path):
    with pytest.raises(ValueError):
        fit(tmp_path, ValueError("no such thing\nand more"))
    status = read_status(tmp_path)
    assert (status.state, status.step, status.reason) == (FAILED, 3, "ValueError: no such thing")
    assert status.best["val/loss"] == 3.0 and status.unfinished


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Stopped(15)])
def test_a_run_that_is_stopped(tmp_path, error):
    with pytest.raises((SystemExit, KeyboardInterrupt, Stopped)):
        fit(tmp_path, error)
        raise SystemExit  # Lightning swallows a KeyboardInterrupt
    status = read_status(tmp_path)
    assert (status.state, status.step, status.reason) == (INTERRUPTED, 3, None)


def test_going_on_counts_attempts(tmp_path):
    with pytest.raises(ValueError):
        fit(tmp_path, ValueError())
    began = read_status(tmp_path).started
    fit(tmp_path)
    status = read_status(tmp_path)
    assert (status.state, status.attempts, status.started) == (FINISHED, 2, began)


def test_a_failure_at_the_very_end_is_one(tmp_path):
    class Report(pl.Callback):
        def on_fit_end(self, trainer, pl_module):
            raise OSError("disk full")

    with pytest.raises(OSError):
        fit(tmp_path, callbacks=[Report()])
    assert read_status(tmp_path).reason == "OSError: disk full"
