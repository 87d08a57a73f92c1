"""The loaders of one region file, for Lightning's trainer."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from densecap.data.dataset import RegionDataset
from densecap.data.hdf5 import RegionFile
from densecap.data.loader import FixedSampler, ResumableLoader, ShardedSampler
from densecap.data.training_images import training_images
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
        #: Keys of the images that the model was trained on before, as ``densecap.data.training_images`` makes them.
        self.trained_before: Tensor | None = None
        #: Off for a model that looks features up by image id: its batches have pictures of no pixels.
        self.pixels = True

    @cached_property
    def trained_on(self) -> Tensor:
        """(M,) int64, the keys of all images that the model has been trained on when this training is over."""
        return training_images(RegionFile(self.file), self.trained_before)

    def state_dict(self) -> dict[str, Any]:
        """What Lightning stores in a checkpoint under the name of this class; ``densecap.checkpoint`` reads it."""
        return {"trained_on": self.trained_on}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """After a resume, what was trained on before counts too."""
        self.trained_before = state_dict.get("trained_on")
        self.__dict__.pop("trained_on", None)

    @property
    def vocabulary(self) -> Vocabulary:
        """The words of the region file."""
        return RegionFile(self.file).vocabulary

    def train_dataloader(self) -> ResumableLoader:
        dataset = self.dataset("train")
        if not len(dataset):
            raise UserError(f"{self.file} has no training images: check data.splits")
        return self._loader(dataset, shuffle=self.shuffle and not self._by_heart)

    def val_dataloader(self) -> ResumableLoader | list[ResumableLoader]:
        return self._unless_empty("train" if self._by_heart else "val")

    def test_dataloader(self) -> ResumableLoader | list[ResumableLoader]:
        return self._unless_empty("test")

    def predict_dataloader(self) -> ResumableLoader | list[ResumableLoader]:
        return self._unless_empty("test", pad=False)

    def dataset(self, split: str) -> RegionDataset:
        """The samples of a split; only training samples are flipped, and not those that are learned by heart."""
        flip = self.flip and split == "train" and not self._by_heart
        return RegionDataset(self.file, split, self.image_size, flip, self.seed, self.compat, self.pixels)

    @property
    def _by_heart(self) -> bool:
        """With ``overfit_batches`` the first batches are what is trained and what is validated on."""
        return bool(getattr(self.trainer, "overfit_batches", 0))

    def _unless_empty(self, split: str, pad: bool = True) -> ResumableLoader | list[ResumableLoader]:
        """A loader in file order; an empty list, which Lightning takes for none, if the split has no images."""
        dataset = self.dataset(split)
        return self._loader(dataset, shuffle=False, pad=pad) if len(dataset) else []

    def _loader(self, dataset: RegionDataset, shuffle: bool, pad: bool = True) -> ResumableLoader:
        rank, world = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        kind = ShardedSampler if shuffle else FixedSampler
        sampler = kind(len(dataset), self.seed, rank=rank, world=world, pad=pad)
        options = {"batch_size": self.batch_size, "num_workers": self.num_workers}
        return ResumableLoader(dataset, sampler=sampler, pin_memory=torch.cuda.is_available(), **options)
