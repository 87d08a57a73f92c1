"""A data loader that several processes share and that goes on exactly where a checkpoint was written."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any

import torch
from torch.utils.data import DataLoader, Sampler, SequentialSampler

from densecap.data.dataset import Draw, RegionDataset
from densecap.structures import Batch

#: Batches that each worker thread may be ahead of the trainer.
AHEAD = 2


class ShardedSampler(Sampler[Draw]):
    """The share of one process of every image of an epoch, each as (number, epoch).

    Shuffled by seed and epoch alone, so every process sees the same order, of which process ``rank`` takes every
    ``world``-th. Nothing is dropped: with ``pad`` images are repeated from the front until all shares are equally
    long, as torch's ``DistributedSampler`` does; without it the last shares may be one shorter.
    """

    def __init__(
        self, length: int, seed: int = 0, shuffle: bool = True, rank: int = 0, world: int = 1, pad: bool = True
    ) -> None:
        self.length, self.seed, self.shuffle = length, seed, shuffle
        self.rank, self.world, self.pad = rank, world, pad
        self.epoch = 0
        self.skip = 0  # images at the front of the next iteration's share that were used before an interruption

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this before every epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Images of this process in a whole epoch, whatever was skipped."""
        return len(self._share(torch.arange(self.length)))

    def __iter__(self) -> Iterator[Draw]:
        epoch, skip, self.skip = self.epoch, self.skip, 0
        share = self._share(self._order(epoch)).tolist()
        return iter([(number, epoch) for number in share[skip:]])

    def _order(self, epoch: int) -> torch.Tensor:
        if not self.shuffle:
            return torch.arange(self.length)
        # One whole number from both: neighbouring seeds and epochs share no order.
        generator = torch.Generator().manual_seed((self.seed * 1_000_003 + epoch) % 2**63)
        return torch.randperm(self.length, generator=generator)

    def _share(self, order: torch.Tensor) -> torch.Tensor:
        missing = -self.length % self.world if self.pad else 0
        if missing and self.length:
            order = torch.cat([order, order.repeat(missing // self.length + 1)[:missing]])
        return order[self.rank :: self.world]


class FixedSampler(ShardedSampler, SequentialSampler):  # type: ignore[misc]  # of draws, not of numbers
    """The same in the order of the file. Lightning, asked for ``overfit_batches``, puts a ``SequentialSampler`` that
    knows no ranks in the place of anything else."""

    def __init__(self, length: int, seed: int = 0, rank: int = 0, world: int = 1, pad: bool = True) -> None:
        ShardedSampler.__init__(self, length, seed, False, rank, world, pad)


class ResumableLoader(DataLoader[Batch]):
    """A ``DataLoader`` whose ``num_workers`` are threads and whose position is saved in checkpoints.

    Threads, because decoding and resizing run outside Python's lock, and a picture handed from one process to another
    costs a quarter of its decoding; with 0 the caller's thread does the work. Batches come in the sampler's order.

    Lightning keeps ``state_dict`` under ``combined_loader``; after ``load_state_dict`` the interrupted epoch goes on
    with exactly the batches that were left. An iteration begins at its first ``next``: Lightning asks for the iterator
    before it announces the epoch. No random number of torch's global generator is used.
    """

    def __init__(self, dataset: RegionDataset, *, num_workers: int = 0, **options: Any) -> None:
        super().__init__(dataset, num_workers=0, **options)  # type: ignore[arg-type]  # of samples, not of batches
        self.num_workers = num_workers
        self._epoch = 0
        self._batches = 0  # handed out in this epoch, counted from its beginning
        self._resuming = False

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        epoch = getattr(self.sampler, "epoch", 0)
        if not (self._resuming and epoch == self._epoch):
            self._epoch, self._batches = epoch, 0
        self._resuming = False
        if self._batches:
            self.sampler.skip = self._batches * self.batch_size  # type: ignore[attr-defined, operator]
        for batch in self._loaded(self.batch_sampler):  # type: ignore[arg-type]
            self._batches += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """How far it is: the epoch, and how many images of it all processes together have used."""
        return {"epoch": self._epoch, "images": self._batches * self._images_per_step}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on from ``state``; another batch size or number of processes than before rounds down to a whole batch."""
        self._epoch, self._batches = state["epoch"], state["images"] // self._images_per_step
        self._resuming = True

    def num_new(self, batch_idx: int, size: int) -> int:
        """How many of the ``size`` images of a batch, the first ones, do not repeat others to fill up a share."""
        sampler: ShardedSampler = self.sampler  # type: ignore[assignment]
        places = range(batch_idx * self.batch_size, batch_idx * self.batch_size + size)  # type: ignore[operator]
        return sum(sampler.rank + place * sampler.world < sampler.length for place in places)

    @property
    def _images_per_step(self) -> int:
        return self.batch_size * getattr(self.sampler, "world", 1)  # type: ignore[operator]

    def _loaded(self, draws: Iterable[list[Draw]]) -> Iterator[Batch]:
        if not self.num_workers:
            yield from map(self._load, draws)
            return
        pool = ThreadPoolExecutor(self.num_workers, thread_name_prefix="loader")
        try:
            rest = iter(draws)
            ahead: deque[Future[Batch]] = deque(
                pool.submit(self._load, batch) for batch in islice(rest, AHEAD * self.num_workers)
            )
            while ahead:
                batch = ahead.popleft().result()
                ahead.extend(pool.submit(self._load, batch) for batch in islice(rest, 1))
                yield batch
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _load(self, draws: list[Draw]) -> Batch:
        batch = self.dataset.batch(draws)  # type: ignore[attr-defined]
        return batch.pin_memory() if self.pin_memory else batch
