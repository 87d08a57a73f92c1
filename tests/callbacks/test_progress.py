"""Remaining time by a clock that tests wind up, and the lines of a run without a terminal."""

import pytest
import pytorch_lightning as pl
import torch

from densecap.callbacks.progress import RunProgress
from densecap.callbacks.remaining_time import RemainingTime


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_slow_first_steps_do_not_count():
    clock = Clock()
    time = RemainingTime(103, warmup=3, clock=clock)
    time.begin(0)
    assert time.remaining is None and time.total is None
    for step in range(1, 4):
        clock.now += 50
        time.step(step)
    for step in range(4, 14):
        clock.now += 2
        time.step(step)
    assert time.seconds_per_step == pytest.approx(2.0)
    assert time.remaining == pytest.approx(2.0 * 90) and time.total == pytest.approx(2.0 * 103)


def test_validations_count_for_what_remains_but_not_for_a_step():
    clock = Clock()
    time = RemainingTime(40, warmup=0, clock=clock)
    time.begin(0)
    for step in range(1, 21):
        clock.now += 1
        time.step(step)
    time.pause()
    clock.now += 20
    time.go_on()
    assert time.seconds_per_step == pytest.approx(1.0)
    assert time.remaining == pytest.approx(40.0)  # 20 steps, and a validation like the one before


def test_going_on_counts_from_there_and_no_end_has_no_time():
    clock = Clock()
    time = RemainingTime(1000, warmup=0, clock=clock)
    time.begin(900)
    clock.now += 10
    time.step(910)
    assert time.remaining == pytest.approx(90.0) and time.total == pytest.approx(100.0)
    endless = RemainingTime(float("inf"), warmup=0, clock=clock)
    endless.begin()
    clock.now += 1
    endless.step(1)
    assert endless.remaining is None and endless.seconds_per_step == pytest.approx(1.0)


class Task(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def training_step(self, batch, batch_idx):
        self.log_dict({"train/loss": self.weight * 0 + 2.5, "train/loss_box": self.weight * 0}, prog_bar=True)
        return self.weight * 0

    def validation_step(self, batch, batch_idx):
        self.log("val/CIDEr", 0.5, prog_bar=True, batch_size=1)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0)


def test_a_log_gets_lines(tmp_path, capsys):
    loader = torch.utils.data.DataLoader(range(40), batch_size=None)
    trainer = pl.Trainer(
        max_epochs=2,
        accelerator="cpu",
        callbacks=[RunProgress(seconds_between_lines=1e9)],
        logger=False,
        default_root_dir=tmp_path,
        enable_checkpointing=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(Task(), loader, loader)
    lines = capsys.readouterr().err.splitlines()
    told = [line for line in lines if line.startswith("about ")]
    assert len(told) == 1 and "for 80 steps, validations not counted: until " in told[0] and "of memory" in told[0]
    validations = [line for line in lines if line.startswith("epoch ")]
    assert len(validations) == 2 and validations[0].startswith("epoch 1 of 2, step 40 of 80: train/loss 2.5, val/CIDEr")
    assert "loss_box" not in validations[0]
