"""Photos to time with: files that are given, or made up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from densecap.data.jpeg_codec import encode_as_jpeg
from densecap.data.reader import Reader
from densecap.structures import Batch, ImageRecord, Regions


def random_photo(height: int, width: int, seed: int = 0) -> Tensor:
    """(3, height, width) uint8 of about the detail of a photo: every octave of noise weighs as much as the next."""
    generator = torch.Generator().manual_seed(seed)
    picture = torch.zeros(1, 3, height, width)
    for cell in (1, 2, 4, 8, 16, 32, 64, 128):
        rows, columns = max(2, height // cell), max(2, width // cell)
        noise = torch.randn(1, 3, rows, columns, generator=generator)
        picture += F.interpolate(noise, size=(height, width), mode="bilinear") * cell**0.5
    picture = (picture - picture.mean()) / picture.std()
    return (picture[0] * 55 + 120).clamp(0, 255).to(torch.uint8)


def write_random_photos(folder: Path, count: int, height: int, width: int) -> list[Path]:
    """``count`` JPEG files of random photos."""
    paths = []
    for index in range(count):
        path = folder / f"{index:04d}.jpg"
        path.write_bytes(encode_as_jpeg(random_photo(height, width, seed=index), quality=92))
        paths.append(path)
    return paths


class PhotoReader(Reader):
    """The files as a data set: each is one training image with one region, the whole of it. Files may repeat."""

    def __init__(self, paths: Sequence[Path], count: int) -> None:
        super().__init__(paths[0].parent)
        self.paths = list(islice(cycle(paths), count))

    @property
    def expected_images(self) -> int:
        return len(self.paths)

    def records(self) -> Iterator[ImageRecord]:
        whole = np.array([[0, 0, np.inf, np.inf]])
        for index, path in enumerate(self.paths):
            yield ImageRecord(str(index), path, "train", whole, ["a photo"])


def random_batch(images: Sequence[Tensor], num_regions: int, num_words: int, vocabulary_size: int) -> Batch:
    """A training batch of (3, H, W) uint8 images, already resized, each with random boxes of random words."""
    generator = torch.Generator().manual_seed(0)
    sizes = [(image.shape[1], image.shape[2]) for image in images]
    regions = []
    for height, width in sizes:
        corners = torch.rand(num_regions, 4, generator=generator) * torch.tensor([width, height, width, height])
        low, high = torch.minimum(corners[:, :2], corners[:, 2:]), torch.maximum(corners[:, :2], corners[:, 2:])
        tokens = torch.randint(1, vocabulary_size + 1, (num_regions, num_words), generator=generator)
        regions.append(Regions(torch.cat((low, high + 8), dim=1), tokens))
    names = [str(index) for index in range(len(images))]
    return Batch(padded(images), sizes, regions, names, sizes)


def padded(images: Sequence[Tensor]) -> Tensor:
    """(3, H, W) images as one (B, 3, H, W), each at the top left over zeros."""
    height, width = max(image.shape[1] for image in images), max(image.shape[2] for image in images)
    batch = images[0].new_zeros(len(images), 3, height, width)
    for row, image in zip(batch, images):
        row[:, : image.shape[1], : image.shape[2]] = image
    return batch
