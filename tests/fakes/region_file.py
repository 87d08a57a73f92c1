"""A miniature region file with pictures whose pixels and boxes can be told apart."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from densecap.data.hdf5 import SPLITS
from densecap.data.hdf5_writer import RegionFileContents, write_region_file
from densecap.data.jpeg_codec import encode_as_jpeg

WORDS = ["red", "cat", "left", "right", "of"]


def write_fake(path: Path, splits: Sequence[str], regions: Sequence[int], sizes: Sequence[tuple[int, int]]) -> Path:
    """Image i is of split ``splits[i]``, has ``regions[i]`` regions and is ``sizes[i]`` (height, width) large.

    Region r of an image spans (r, 2r, r + 10, 2r + 20) and says "cat left of red" with r more words "right".
    """
    tokens = [[2, 3, 5, 1, *[4] * region] for count in regions for region in range(count)]
    jpegs = [_jpeg(number, size) for number, size in enumerate(sizes)]
    boxes = [(r, 2 * r, r + 10, 2 * r + 20) for count in regions for r in range(count)]
    contents = RegionFileContents(
        name="fake",
        ids=[f"image{number}" for number in range(len(splits))],
        files=[f"{number}.jpg" for number in range(len(splits))],
        splits=np.array([SPLITS.index(split) for split in splits]),
        offsets=np.cumsum([0, *map(len, jpegs)]),
        sizes=np.array(sizes),
        original_sizes=np.array(sizes),
        first_region=np.cumsum([0, *regions]),
        boxes=np.array(boxes, dtype=np.float32).reshape(-1, 4),
        tokens=np.array([row + [0] * (9 - len(row)) for row in tokens], dtype=np.int32).reshape(-1, 9),
        lengths=np.array([len(row) for row in tokens], dtype=np.int32),
        captions=["a phrase"] * len(tokens),
        words=WORDS,
        counts=np.ones(len(WORDS)),
    )
    write_region_file(path, contents, jpegs)
    return path


def _jpeg(number: int, size: tuple[int, int]) -> bytes:
    """Left half black, right half of a grey that grows with the number."""
    image = torch.zeros(3, *size, dtype=torch.uint8)
    image[:, :, size[1] // 2 :] = 100 + 5 * (number % 30)
    return encode_as_jpeg(image, quality=95)
