"""A miniature captioner of whole images, a batch for it, and a prepared file of such images."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch

from densecap.data.hdf5 import SPLITS
from densecap.data.hdf5_writer import RegionFileContents, write_region_file
from densecap.data.jpeg_codec import encode_as_jpeg
from densecap.models.decoders.lstm import LSTMDecoder
from densecap.models.image_captioner import ImageCaptioner
from densecap.structures import Batch, Regions
from densecap.text.vocabulary import Vocabulary
from tests.conftest import TwoConvolutions

WORDS = [f"word{index}" for index in range(30)]


def small_image_captioner(backbone=None, seed=0, image_size=64, input_size=32, decoder=None, **options):
    torch.manual_seed(seed)
    backbone = backbone or TwoConvolutions()
    decoder = decoder or partial(LSTMDecoder, embedding_dim=10, hidden_dim=12)
    return ImageCaptioner(Vocabulary(WORDS), backbone, decoder, image_size=image_size, input_size=input_size, **options)


def noise(height, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, (3, height, width), generator=generator, dtype=torch.uint8)


def whole_batch():
    """Two images of 48 x 64 and 64 x 40, of three captions and of two, of two to five words."""
    images = torch.zeros(2, 3, 64, 64, dtype=torch.uint8)
    images[0, :, :48, :], images[1, :, :, :40] = noise(48, 64, 1), noise(64, 40, 2)
    tokens = [[[1, 2, 3, 0, 0], [4, 5, 0, 0, 0], [6, 7, 8, 9, 10]], [[5, 6, 7, 8, 0], [3, 1, 0, 0, 0]]]
    boxes = [[0.0, 0, 64, 48], [0.0, 0, 40, 64]]
    regions = [Regions(torch.tensor([b] * len(t)), torch.tensor(t)) for b, t in zip(boxes, tokens)]
    return Batch(images, [(48, 64), (64, 40)], regions, ["a", "b"], [(480, 640), (640, 400)])


def write_whole_images(path: Path, splits, captions=2, size=(48, 64), name="wholes", image_seed=0) -> Path:
    """A prepared file: image i of ``splits[i]`` has so many captions (or ``captions[i]``) of the whole of it, "word<i>
    word<row>"; its original is twice as large."""
    count = len(splits)
    counts = [captions] * count if isinstance(captions, int) else captions
    darkness = [1 + number % 4 for number in range(count)]
    images = [noise(*size, seed=image_seed + number) // dark for number, dark in enumerate(darkness)]
    jpegs = [encode_as_jpeg(image, quality=90) for image in images]
    rows = [(image, row) for image in range(count) for row in range(counts[image])]
    total = len(rows)
    contents = RegionFileContents(
        name=name,
        ids=[f"image{number}" for number in range(count)],
        files=[f"{number}.jpg" for number in range(count)],
        splits=np.array([SPLITS.index(split) for split in splits]),
        offsets=np.cumsum([0, *map(len, jpegs)]),
        sizes=np.array([size] * count),
        original_sizes=np.array([(2 * size[0], 2 * size[1])] * count),
        first_region=np.cumsum([0, *counts]),
        boxes=np.array([(0, 0, 2 * size[1], 2 * size[0])] * total, dtype=np.float32),
        tokens=np.array([(image + 1, row + 1, 0) for image, row in rows], dtype=np.int32),
        lengths=np.full(total, 2, dtype=np.int32),
        captions=[f"word{image} word{row}" for image, row in rows],
        words=WORDS,
        counts=np.ones(len(WORDS)),
    )
    write_region_file(path, contents, jpegs)
    return path
