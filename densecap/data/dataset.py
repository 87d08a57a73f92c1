"""Samples of one split: an image decoded and resized, its boxes in the resized pixels, its words as ids.

Pixels lie in memory as the decoder writes them, the three colours of a pixel side by side (torch's channels_last),
because turning them round takes a fifth of the time that decoding takes. Large copies go through NumPy, which keeps to
the loader's own thread, where torch would wake its whole pool.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from densecap.data.buffers import pixel_buffer
from densecap.data.images import read_image
from densecap.data.mapped_file import MappedRegionFile
from densecap.ops.box_encoding_2016 import encode_boxes_2016, xyxy_from_encoded_2016
from densecap.ops.resize import resize_image, resized_size
from densecap.structures import Batch, Regions
from densecap.text.flip import flipped_token_ids

#: What a sampler asks for: the number of an image in the split, and the epoch it is for.
Draw = tuple[int, int]


class Sample(NamedTuple):
    """``image`` (3, H, W) uint8 RGB; ``boxes`` (R, 4) float32 xyxy in pixels of an image of ``size``, which is (H, W)
    unless pixels are left out; ``tokens`` (R, T) padded with 0."""

    image: Tensor
    boxes: np.ndarray
    tokens: np.ndarray
    image_id: str
    original_size: tuple[int, int]  # (height, width)
    size: tuple[int, int]  # (height, width)


class RegionDataset(Dataset[Sample]):
    """The images of one split of a region file; an image without regions is a sample like any other.

    ``flip`` mirrors half of the samples, and swaps left and right in their words; which half is decided by the seed,
    the epoch and the image, so it is the same whatever the number of workers. ``compat="densecap2016"`` resizes and
    rounds as the original's preprocessing did. Without ``pixels`` nothing is decoded and images are empty, but boxes
    and sizes are the same; then nothing can be flipped. May be read by several threads, and by processes however they
    start.
    """

    def __init__(
        self,
        file: Path | str,
        split: str,
        image_size: int,
        flip: bool = False,
        seed: int = 0,
        compat: str | None = None,
        pixels: bool = True,
    ) -> None:
        if flip and not pixels:
            raise ValueError("without pixels there is nothing to flip")
        self.file = MappedRegionFile(file)
        self.pixels = pixels
        self.image_size, self.flip, self.seed = image_size, flip, seed
        self.faithful = compat == "densecap2016"
        self._rows = self.file.indices(split)
        self._flipped_ids = np.array(flipped_token_ids(self.file.vocabulary))

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, draw: Draw | int) -> Sample:
        """Sample number ``draw``, or (number, epoch)."""
        number, epoch = draw if isinstance(draw, tuple) else (draw, 0)
        row = int(self._rows[number])
        (height, width), image_id = self.file.size_and_id(row)
        image = self._image(row) if self.pixels else torch.zeros(3, 0, 0, dtype=torch.uint8)
        size = (image.shape[1], image.shape[2]) if self.pixels else self._resized_size(draw)
        boxes, tokens, _ = self.file.regions(row)
        boxes = self._scaled(boxes, height, width, size)
        if self.flip and self._is_flipped(row, epoch):
            image, boxes, tokens = _mirrored(image), _mirrored_boxes(boxes, size[1]), self._flipped_ids[tokens]
        return Sample(image, boxes, tokens, image_id, (height, width), size)

    def _image(self, row: int) -> Tensor:
        image = read_image(self.file.image_bytes(row))
        return resize_image(image, self.image_size, "densecap2016" if self.faithful else "antialias")

    def batch(self, draws: Sequence[Draw | int]) -> Batch:
        """The samples of ``draws`` as ``collate`` would put them together, each laid in its place while it is fresh.

        An image that waits for the others to be decoded has left the processor's cache by then.
        """
        if len(draws) == 1 or not self.pixels:
            return collate([self[draw] for draw in draws])
        sizes = [self._resized_size(draw) for draw in draws]
        images = _canvas(len(draws), max(size[0] for size in sizes), max(size[1] for size in sizes))
        samples = []
        for place, draw in zip(images, draws):
            sample = self[draw]
            _lay(sample.image, place)
            samples.append(sample._replace(image=place[:, : sample.image.shape[1], : sample.image.shape[2]]))
        return _assembled(images, samples)

    def _resized_size(self, draw: Draw | int) -> tuple[int, int]:
        row = self._rows[draw[0] if isinstance(draw, tuple) else draw]
        height, width = self.file.sizes[row].tolist()
        return resized_size(height, width, self.image_size, truncate=self.faithful)

    def _scaled(self, boxes: np.ndarray, height: int, width: int, size: tuple[int, int]) -> np.ndarray:
        if self.faithful:
            rows = torch.tensor(np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1))
            return xyxy_from_encoded_2016(encode_boxes_2016(rows, height, width, self.image_size)).numpy()
        across, down = size[1] / width, size[0] / height
        return boxes * np.array((across, down, across, down), dtype=np.float32)

    def _is_flipped(self, row: int, epoch: int) -> bool:
        return bool(np.random.SeedSequence((self.seed, epoch, row)).generate_state(1)[0] & 1)


def _mirrored(image: Tensor) -> Tensor:
    return torch.from_numpy(image.permute(1, 2, 0).numpy()[:, ::-1].copy()).permute(2, 0, 1)


def _mirrored_boxes(boxes: np.ndarray, width: int) -> np.ndarray:
    mirrored = boxes[:, [2, 1, 0, 3]]
    mirrored[:, ::2] = width - mirrored[:, ::2]
    return mirrored


def collate(samples: list[Sample]) -> Batch:
    """The samples as one batch: images at the top left over zeros, tokens as wide as the longest phrase needs."""
    if len(samples) == 1:
        return _assembled(samples[0].image[None], samples)
    height, width = (max(sample.image.shape[axis] for sample in samples) for axis in (1, 2))
    images = _canvas(len(samples), height, width)
    for place, sample in zip(images, samples):
        _lay(sample.image, place)
    return _assembled(images, samples)


def _canvas(count: int, height: int, width: int) -> Tensor:
    """(count, 3, height, width), not cleared, its memory in the decoder's order."""
    return pixel_buffer(count, height, width, 3).permute(0, 3, 1, 2)


def _lay(image: Tensor, place: Tensor) -> None:
    """Copy an image to the top left of its place in a batch, and clear the rest of it."""
    _, bottom, right = image.shape
    target = place.permute(1, 2, 0).numpy()  # (H, W, 3)
    target[:bottom, :right] = image.permute(1, 2, 0).numpy()
    target[bottom:] = 0
    target[:bottom, right:] = 0


def _assembled(images: Tensor, samples: list[Sample]) -> Batch:
    longest = max(int((sample.tokens > 0).sum(axis=1).max(initial=1)) for sample in samples)
    return Batch(
        images=images,
        image_sizes=[sample.size for sample in samples],
        regions=[_regions(sample.boxes, sample.tokens[:, :longest]) for sample in samples],
        image_ids=[sample.image_id for sample in samples],
        original_sizes=[sample.original_size for sample in samples],
    )


def _regions(boxes: np.ndarray, tokens: np.ndarray) -> Regions:
    return Regions(torch.from_numpy(boxes), torch.from_numpy(tokens.astype(np.int64)))
