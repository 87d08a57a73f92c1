"""Sharding covers every image, and a resumed run sees exactly the batches that an uninterrupted one would have."""

import threading
import time
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import nn

from densecap.data.datamodule import CaptioningDataModule
from densecap.data.dataset import RegionDataset, collate
from densecap.data.loader import ResumableLoader, ShardedSampler
from densecap.errors import UserError
from densecap.structures import Batch
from tests.fakes.region_file import write_fake

TRAIN, VAL, TEST = 19, 3, 5
BATCH = 3
STEPS = -(-TRAIN // BATCH)  # a whole epoch's


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    splits = ["train"] * TRAIN + ["val"] * VAL + ["test"] * TEST
    sizes = [(24, 32) if number % 2 else (32, 24) for number in range(len(splits))]
    return write_fake(
        tmp_path_factory.mktemp("fake") / "fake.h5", splits, [1 + n % 3 for n in range(len(splits))], sizes
    )


def ids(batches: list[Batch]) -> list[list[str]]:
    return [batch.image_ids for batch in batches]


@pytest.mark.parametrize(("length", "world"), [(7, 2), (8, 2), (5, 3), (1, 4), (12, 1)])
def test_the_shares_of_all_ranks_cover_everything_once_and_are_equally_long(length: int, world: int) -> None:
    shares = [list(ShardedSampler(length, seed=4, rank=rank, world=world)) for rank in range(world)]
    assert len({len(share) for share in shares}) == 1
    assert all(len(share) == len(ShardedSampler(length, world=world)) for share in shares)
    numbers = [number for share in shares for number, _ in share]
    assert set(numbers) == set(range(length))
    assert len(numbers) == -(-length // world) * world  # padded by less than one image a rank
    unpadded = [list(ShardedSampler(length, rank=rank, world=world, pad=False)) for rank in range(world)]
    assert sorted(number for share in unpadded for number, _ in share) == list(range(length))


def test_shares_agree_with_torchs_distributed_sampler() -> None:
    torchs = torch.utils.data.DistributedSampler
    for rank in range(3):
        wanted = list(torchs(range(11), num_replicas=3, rank=rank, shuffle=False))
        assert [number for number, _ in ShardedSampler(11, shuffle=False, rank=rank, world=3)] == wanted


def test_every_epoch_and_seed_has_its_own_order_and_file_order_is_kept_without_shuffling() -> None:
    def order(seed: int, epoch: int, shuffle: bool = True) -> list[int]:
        sampler = ShardedSampler(30, seed, shuffle)
        sampler.set_epoch(epoch)
        draws = list(sampler)
        assert {drawn for _, drawn in draws} == {epoch}
        return [number for number, _ in draws]

    assert order(1, 0) == order(1, 0)
    orders = [tuple(order(seed, epoch)) for seed in range(5) for epoch in range(5)]
    assert len(set(orders)) == 25
    assert order(1, 3, shuffle=False) == list(range(30))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_goes_on_where_its_state_was_taken(file: Path, workers: int) -> None:
    def loader() -> ResumableLoader:
        dataset = RegionDataset(file, "train", 32, flip=True)
        return ResumableLoader(dataset, batch_size=BATCH, num_workers=workers, sampler=ShardedSampler(TRAIN, 9))

    first = loader()
    first.sampler.set_epoch(2)
    whole = list(first)
    again = iter(first)
    begun = [next(again) for _ in range(4)]
    state = first.state_dict()
    assert state == {"epoch": 2, "images": 4 * BATCH}
    second = loader()
    second.load_state_dict(state)
    assert second.state_dict() == state and len(second) == STEPS
    second.sampler.set_epoch(2)
    rest = list(second)
    assert ids(begun) + ids(rest) == ids(whole)
    assert all(torch.equal(one.images, other.images) for one, other in zip(begun + rest, whole))
    second.sampler.set_epoch(3)
    assert len(list(second)) == STEPS  # the next epoch is whole again


def test_a_state_of_another_batch_size_goes_on_after_as_many_images(file: Path) -> None:
    loader = ResumableLoader(RegionDataset(file, "train", 32), batch_size=2, sampler=ShardedSampler(TRAIN, 9))
    whole = [image_id for batch in ids(list(loader)) for image_id in batch]
    loader.load_state_dict({"epoch": 0, "images": 4 * BATCH})
    assert [image_id for batch in ids(list(loader)) for image_id in batch] == whole[4 * BATCH :]


@pytest.mark.parametrize("workers", [0, 2])
def test_torchs_global_generator_is_left_alone(file: Path, workers: int) -> None:
    data = CaptioningDataModule(file, 32, BATCH, num_workers=workers)
    loaders = [data.train_dataloader(), data.val_dataloader()]
    before = torch.random.get_rng_state()
    for loader in loaders:
        list(loader)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_number_of_workers_changes_nothing(file: Path) -> None:
    def batches(workers: int) -> list[Batch]:
        return list(CaptioningDataModule(file, 32, BATCH, workers, flip=True, seed=3).train_dataloader())

    for alone, helped in zip(batches(0), batches(2), strict=True):
        assert torch.equal(alone.images, helped.images)
        assert alone.image_ids == helped.image_ids and alone.image_sizes == helped.image_sizes
        for one, other in zip(alone.regions, helped.regions, strict=True):
            assert torch.equal(one.boxes, other.boxes) and torch.equal(one.tokens, other.tokens)


@pytest.mark.long
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_torchs_own_loader_reads_the_data_set_in_processes_started_in_any_way(file: Path, method: str) -> None:
    ours = CaptioningDataModule(file, 32, BATCH, seed=3, shuffle=False).train_dataloader()
    theirs = torch.utils.data.DataLoader(
        RegionDataset(file, "train", 32), BATCH, collate_fn=collate, num_workers=2, multiprocessing_context=method
    )
    assert ids(list(theirs)) == ids(list(ours))


def test_an_iteration_that_is_left_ends_its_threads_and_errors_arrive_as_they_are(file: Path) -> None:
    def threads() -> set[str]:
        return {thread.name for thread in threading.enumerate() if thread.name.startswith("loader")}

    loader = CaptioningDataModule(file, 32, BATCH, num_workers=2).train_dataloader()
    iteration = iter(loader)
    next(iteration)
    assert threads()
    iteration.close()
    for _ in range(100):
        if not threads():
            break
        time.sleep(0.05)
    assert not threads()
    loader.dataset.batch = lambda draws: 1 // 0
    with pytest.raises(ZeroDivisionError):
        next(iter(loader))


def test_what_is_missing(file: Path, tmp_path: Path) -> None:
    none = write_fake(tmp_path / "none.h5", ["train", "test"], [1, 1], [(8, 8)] * 2)
    assert CaptioningDataModule(none, 32).val_dataloader() == []
    with pytest.raises(UserError, match="no training images"):
        CaptioningDataModule(write_fake(tmp_path / "val.h5", ["val"], [1], [(8, 8)]), 32).train_dataloader()
    with pytest.raises(UserError, match="does not exist"):
        _ = CaptioningDataModule(tmp_path / "absent.h5", 32).vocabulary
    assert len(CaptioningDataModule(file, 32).vocabulary) == 5


class Recorder(pl.LightningModule):
    """Notes the images of every step; its one weight follows their mean, so equal batches mean equal losses."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.seen: list[list[str]] = []
        self.losses: list[float] = []

    def training_step(self, batch: Batch, index: int) -> torch.Tensor:
        self.seen.append(batch.image_ids)
        loss = (self.weight - batch.images.float().mean() / 255) ** 2 + 0 * torch.rand(())
        self.losses.append(float(loss))
        return loss

    def validation_step(self, batch: Batch, index: int) -> None:
        self.log("val", self.weight.detach(), batch_size=len(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def train(file: Path, folder: Path, workers: int, resume: Path | None = None, **limits: int) -> Recorder:
    torch.manual_seed(0)
    recorder = Recorder()
    keep = ModelCheckpoint(folder, "{step}", every_n_train_steps=1, save_top_k=-1)
    trainer = pl.Trainer(
        accelerator="cpu",
        callbacks=[keep],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        **limits,
    )
    data = CaptioningDataModule(file, 32, BATCH, workers, flip=True, seed=11)
    trainer.fit(recorder, datamodule=data, ckpt_path=resume, weights_only=True)
    return recorder


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("limits", [{"max_epochs": 3}, {"max_steps": 3 * STEPS, "max_epochs": -1}])
def test_a_resumed_run_is_the_uninterrupted_one(
    file: Path, tmp_path: Path, workers: int, limits: dict[str, int]
) -> None:
    """Stopped in the middle of the first and the second epoch, one step before an end, and between epochs."""
    whole = train(file, tmp_path / "whole", workers, **limits)
    assert len(whole.seen) == 3 * STEPS
    assert len({tuple(map(tuple, whole.seen[start : start + STEPS])) for start in range(0, 3 * STEPS, STEPS)}) == 3
    for step in (2, STEPS - 1, STEPS, STEPS + 4, 2 * STEPS):
        resumed = train(file, tmp_path / f"resumed{step}", workers, tmp_path / "whole" / f"step={step}.ckpt", **limits)
        assert resumed.seen == whole.seen[step:], step
        assert resumed.losses == whole.losses[step:]


def test_prediction_visits_every_image_once(file: Path) -> None:
    class Names(Recorder):
        def predict_step(self, batch: Batch, index: int) -> list[str]:
            return batch.image_ids

    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = pl.Trainer(accelerator="cpu", use_distributed_sampler=False, enable_checkpointing=False, **quiet)
    found = trainer.predict(Names(), datamodule=CaptioningDataModule(file, 32, BATCH, num_workers=1))
    assert [name for batch in found for name in batch] == [f"image{TRAIN + VAL + n}" for n in range(TEST)]
