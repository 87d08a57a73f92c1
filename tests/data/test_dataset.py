"""Samples: boxes follow the resizing, flips are consistent and repeatable, any sizes make a batch."""

from pathlib import Path

import numpy as np
import pytest
import torch

from densecap.data.dataset import RegionDataset, collate
from densecap.data.hdf5 import RegionFile
from densecap.data.images import read_image
from densecap.ops.resize import resize_image, resized_size
from tests.fakes.region_file import write_fake

SIZES = [(40, 80), (64, 48), (60, 60), (40, 80)]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fake(tmp_path_factory.mktemp("fake") / "fake.h5", ["train"] * 3 + ["val"], [2, 0, 3, 1], SIZES)


def test_boxes_are_scaled_per_axis_to_the_resized_image(file: Path) -> None:
    sample = RegionDataset(file, "train", image_size=33)[0]
    assert sample.image.shape == (3, *resized_size(40, 80, 33)) == (3, 16, 33)
    assert sample.image.dtype == torch.uint8
    across, down = 33 / 80, 16 / 40
    wanted = [(0, 0, 10 * across, 20 * down), (across, 2 * down, 11 * across, 22 * down)]
    np.testing.assert_allclose(sample.boxes, wanted, rtol=1e-6)
    assert (sample.image_id, sample.original_size) == ("image0", (40, 80))
    assert [row[row > 0].tolist() for row in sample.tokens] == [[2, 3, 5, 1], [2, 3, 5, 1, 4]]


def test_splits_are_apart(file: Path) -> None:
    assert len(RegionDataset(file, "train", 64)) == 3
    assert [RegionDataset(file, "val", 64)[0].image_id, len(RegionDataset(file, "test", 64))] == ["image3", 0]


def test_a_flip_mirrors_pixels_and_boxes_and_swaps_words(file: Path) -> None:
    plain, flipping = RegionDataset(file, "train", 80), RegionDataset(file, "train", 80, flip=True)
    draws = [(number, epoch) for epoch in range(40) for number in (0, 2)]
    flips = []
    for draw in draws:
        before, after = plain[draw[0]], flipping[draw]
        mirrored = not torch.equal(before.image, after.image)
        flips.append(mirrored)
        if not mirrored:
            np.testing.assert_array_equal(before.boxes, after.boxes)
            np.testing.assert_array_equal(before.tokens, after.tokens)
            continue
        assert torch.equal(before.image.flip(2), after.image)
        width = before.image.shape[2]
        np.testing.assert_allclose(after.boxes[:, 0], width - before.boxes[:, 2])
        np.testing.assert_allclose(after.boxes[:, 2], width - before.boxes[:, 0])
        np.testing.assert_array_equal(after.boxes[:, 1::2], before.boxes[:, 1::2])
        assert flipping.file.vocabulary.decode(after.tokens[0]) == "cat right of red"
    assert 0.3 < np.mean(flips) < 0.7
    again = RegionDataset(file, "train", 80, flip=True)
    assert all(torch.equal(again[draw].image, flipping[draw].image) for draw in draws[:10])
    other = RegionDataset(file, "train", 80, flip=True, seed=1)
    assert any(not torch.equal(other[draw].image, flipping[draw].image) for draw in draws)


def test_images_of_different_size_make_a_batch_over_zeros(file: Path) -> None:
    dataset = RegionDataset(file, "train", 64)
    batch = collate([dataset[0], dataset[1], dataset[2]])
    assert batch.images.shape == (3, 3, 64, 64)
    assert batch.image_sizes == [(32, 64), (64, 48), (64, 64)]
    assert batch.original_sizes == SIZES[:3]
    for number, (height, width) in enumerate(batch.image_sizes):
        assert torch.equal(batch.images[number, :, :height, :width], dataset[number].image)
        assert not batch.images[number, :, height:].any() and not batch.images[number, :, :, width:].any()
    assert [len(regions) for regions in batch.regions] == [2, 0, 3]
    assert {regions.tokens.shape[1] for regions in batch.regions} == {6}  # the longest phrase, not the file's width
    assert all(regions.tokens.dtype == torch.int64 for regions in batch.regions)


def test_the_2016_way_of_resizing_truncates_sizes_and_rounds_boxes(file: Path) -> None:
    sample = RegionDataset(file, "train", image_size=33, compat="densecap2016")[0]
    assert sample.image.shape == (3, 16, 33)  # 16.5 truncated
    # Row (1, 2, 10, 20) at scale 33/80: corner (1, 1), sides (4, 8), so centre (3, 5), counted from 1.
    np.testing.assert_allclose(sample.boxes[1], (0.5, 0.5, 4.5, 8.5))
    assert torch.equal(sample.image, resize_image(read_image(RegionFile(file).image_bytes(0)), 33, "densecap2016"))


@pytest.mark.parametrize("draws", [[0, 1, 2], [1], [(2, 5), (0, 5)]])
@pytest.mark.parametrize("size", [64, 33])
def test_a_batch_made_in_place_is_the_collated_one(file: Path, draws: list, size: int) -> None:
    dataset = RegionDataset(file, "train", size, flip=True)
    made, collated = dataset.batch(draws), collate([dataset[draw] for draw in draws])
    assert torch.equal(made.images, collated.images)
    for name in ("image_sizes", "image_ids", "original_sizes"):
        assert getattr(made, name) == getattr(collated, name)
    for one, other in zip(made.regions, collated.regions, strict=True):
        assert torch.equal(one.boxes, other.boxes) and torch.equal(one.tokens, other.tokens)


def test_memory_of_a_forgotten_batch_is_used_again_but_never_that_of_a_living_one(file: Path) -> None:
    dataset = RegionDataset(file, "train", 64)
    first = dataset.batch([0, 1])
    kept = first.images[0]  # a part keeps the whole alive
    address, before = first.images.data_ptr(), kept.clone()
    del first
    others = [dataset.batch([1, 2]) for _ in range(3)]
    assert address not in [batch.images.data_ptr() for batch in others]
    assert torch.equal(kept, before)
    del kept
    assert dataset.batch([0, 1]).images.data_ptr() == address


def test_a_batch_without_any_region(file: Path) -> None:
    batch = collate([RegionDataset(file, "train", 64)[1]])
    assert batch.regions[0].boxes.shape == (0, 4) and batch.regions[0].tokens.shape[0] == 0
