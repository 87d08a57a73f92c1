"""A run that goes on from any of its saved states does what the uninterrupted run did, to the last bit."""

import shutil
from functools import partial
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch

from densecap.callbacks.checkpoints import BestAndLast
from densecap.callbacks.weight_average import EqualAverage, MovingAverage
from densecap.data.datamodule import CaptioningDataModule
from densecap.tasks.dense_captioning import DenseCaptioningTask
from densecap.tasks.schedules import warmup_cosine
from tests.conftest import miniature_captioner
from tests.fakes.region_file import write_fake


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    splits = ["train"] * 12 + ["val"] * 2
    return write_fake(tmp_path_factory.mktemp("fake") / "fake.h5", splits, [1] * 14, [(64, 64)] * 14)


class Record(pl.Callback):
    """What every step saw and what came of it."""

    def __init__(self):
        self.steps = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        self.steps.append((batch.image_ids, outputs["loss"].item(), rate))


class Copies(BestAndLast):
    """Keeps a copy of every last state under the number of its step."""

    def _save_checkpoint(self, trainer, filepath):
        super()._save_checkpoint(trainer, filepath)
        if Path(filepath).stem == "last":
            shutil.copy(filepath, Path(filepath).with_name(f"{trainer.global_step}.ckpt"))


def fit(file, folder, average=None, resume=None, epochs=2, accumulate=1):
    torch.manual_seed(5)
    model = miniature_captioner(seed=3)
    if resume:
        torch.manual_seed(99)
    record = Record()
    checkpoints = (BestAndLast if resume else Copies)(str(folder), every_steps=1)
    trainer = pl.Trainer(
        accelerator="cpu",
        callbacks=[checkpoints, record, *([average] if average else [])],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        max_epochs=epochs,
        val_check_interval=0.5,
        accumulate_grad_batches=accumulate,
    )
    optimizer = partial(torch.optim.Adam, lr=5e-3)
    task = DenseCaptioningTask(model, optimizer, partial(warmup_cosine, warmup_steps=3))
    data = CaptioningDataModule(file, 64, 2, flip=True, seed=1)
    trainer.fit(task, datamodule=data, ckpt_path=resume, weights_only=True)
    return record.steps, task


@pytest.mark.parametrize(
    "average", [None, partial(MovingAverage, decay=0.8), partial(EqualAverage, from_epoch=1)], ids=["", "ema", "equal"]
)
def test_from_every_state(file, tmp_path, average):
    def own():
        return average() if average else None

    whole, task = fit(file, tmp_path / "whole", own())
    assert len(whole) == 12 and len({tuple(ids) for ids, *_ in whole}) > 6
    states = sorted((tmp_path / "whole").glob("[0-9]*.ckpt"), key=lambda path: int(path.stem))
    assert [int(path.stem) for path in states] == list(range(1, 13))
    for path in (states[1], states[5], states[8]):  # within an epoch, at its end, at a validation
        rest, again = fit(file, tmp_path / "again", own(), resume=path)
        assert rest == whole[int(path.stem) :], path.stem
        ours, theirs = again.model.state_dict(), task.model.state_dict()
        assert all(ours[name].equal(theirs[name]) for name in theirs)


def test_gradients_of_several_batches_are_saved_between_steps_only(file, tmp_path):
    whole, _ = fit(file, tmp_path / "whole", accumulate=2)
    assert {int(path.stem) for path in (tmp_path / "whole").glob("[0-9]*.ckpt")} == set(range(1, 7))
    rest, _ = fit(file, tmp_path / "again", resume=tmp_path / "whole" / "2.ckpt", accumulate=2)
    assert rest == whole[4:]


def test_a_longer_run_goes_on_with_the_weights_and_not_with_their_average(file, tmp_path):
    fit(file, tmp_path / "short", MovingAverage(decay=0.8), epochs=1)
    content = torch.load(tmp_path / "short" / "last.ckpt", weights_only=True)
    name = "model.recognition.fc6.weight"
    assert not content["current_model_state"][name].equal(content["state_dict"][name])
    state = content["optimizer_states"][0]["state"]
    assert state and content["averaging_state"]["n_averaged"] == 6


def test_best_is_the_average(file, tmp_path):
    """What predict loads is what validation judged."""
    _, task = fit(file, tmp_path / "run", MovingAverage(decay=0.8), epochs=1)
    content = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)
    average = {key[6:]: value for key, value in content["state_dict"].items() if key.startswith("model.")}
    after = task.model.state_dict()  # training over: the average is in the model's place
    assert all(average[name].equal(after[name]) for name in after)
