"""The loaders of one region file, for Lightning's trainer."""

from __future__ import annotations

from pathlib import Path

import pytorch_lightning as pl
import torch

from densecap.data.dataset import RegionDataset
from densecap.data.hdf5 import RegionFile
from densecap.data.loader import ResumableLoader, ShardedSampler
from densecap.errors import UserError
from densecap.text.vocabulary import Vocabulary


class CaptioningDataModule(pl.LightningDataModule):
    """Batches of a region file's splits.

    Use it with ``Trainer(use_distributed_sampler=False)``: its own sampler shards by rank. Every rank gets equally
    many images, for which a few are repeated, except in prediction, where every image comes once. Only training is
    shuffled (unless ``shuffle`` is off) and flipped (if ``flip`` is on). ``num_workers`` threads decode and resize.
    """

    def __init__(
        self,
        file: Path | str,
        image_size: int,
        batch_size: int = 1,
        num_workers: int = 0,
        flip: bool = False,
        seed: int = 0,
        compat: str | None = None,
        shuffle: bool = True,
    ) -> None:
        super().__init__()
        self.file = Path(file)
        self.image_size, self.batch_size, self.num_workers = image_size, batch_size, num_workers
        self.flip, self.seed, self.compat, self.shuffle = flip, seed, compat, shuffle

    @property
    def vocabulary(self) -> Vocabulary:
        """The words of the region file."""
        return RegionFile(self.file).vocabulary

    def train_dataloader(self) -> ResumableLoader:
        dataset = self.dataset("train")
        if not len(dataset):
            raise UserError(f"{self.file} has no training images: check data.splits")
        return self._loader(dataset, shuffle=self.shuffle)

    def val_dataloader(self) -> ResumableLoader | list[ResumableLoader]:
        return self._unless_empty("val")

    def test_dataloader(self) -> ResumableLoader | list[ResumableLoader]:
        return self._unless_empty("test")

    def predict_dataloader(self) -> ResumableLoader | list[ResumableLoader]:
        return self._unless_empty("test", pad=False)

    def dataset(self, split: str) -> RegionDataset:
        """The samples of a split; only training samples are flipped."""
        flip = self.flip and split == "train"
        return RegionDataset(self.file, split, self.image_size, flip, self.seed, self.compat)

    def _unless_empty(self, split: str, pad: bool = True) -> ResumableLoader | list[ResumableLoader]:
        """A loader in file order; an empty list, which Lightning takes for none, if the split has no images."""
        dataset = self.dataset(split)
        return self._loader(dataset, shuffle=False, pad=pad) if len(dataset) else []

    def _loader(self, dataset: RegionDataset, shuffle: bool, pad: bool = True) -> ResumableLoader:
        rank, world = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        sampler = ShardedSampler(len(dataset), self.seed, shuffle, rank, world, pad)
        options = {"batch_size": self.batch_size, "num_workers": self.num_workers}
        return ResumableLoader(dataset, sampler=sampler, pin_memory=torch.cuda.is_available(), **options)
