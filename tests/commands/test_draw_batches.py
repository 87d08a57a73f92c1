"""debug=data: pictures of batches."""

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from densecap.commands.draw_batches import draw_batches, drawn, in_words
from densecap.data.datamodule import CaptioningDataModule
from densecap.text.vocabulary import Vocabulary
from tests.fakes.region_file import write_fake
from tests.fakes.whole_images import WORDS, whole_batch, write_whole_images


@pytest.mark.parametrize("whole", [False, True])
def test_a_picture_for_each_batch(tmp_path, capsys, whole):
    splits = ["train"] * 5
    path = tmp_path / "a.h5"
    file = write_whole_images(path, splits) if whole else write_fake(path, splits, [2] * 5, [(48, 64)] * 5)
    data = CaptioningDataModule(file, 64, batch_size=2, shuffle=False)
    written = draw_batches(data, tmp_path, 2, Console(width=300))
    assert [path.name for path in written] == ["batch_1.jpg", "batch_2.jpg"]
    assert "batch_2.jpg: 2 images padded to 64 x 48 pixels, 4 regions" in capsys.readouterr().out
    with Image.open(written[0]) as sheet:
        assert sheet.width > 2 * 480


def test_images_are_drawn_without_padding_and_with_their_boxes(batch):
    vocabulary = Vocabulary([f"word{index}" for index in range(30)])
    first, second = drawn(batch, vocabulary)
    assert first.width == 64 * 8 and second.width == 40 * 8  # enlarged to be legible
    bare = drawn(
        type(batch)(batch.images, batch.image_sizes, [r for r in map(empty, batch.regions)], *rest(batch)), vocabulary
    )
    changed = np.abs(np.asarray(first).astype(int) - np.asarray(bare[0])).sum(axis=2) > 100
    box = (np.array([4.0, 4, 20, 22]) * 8).astype(int)
    assert changed[box[1] : box[3], box[0] - 1 : box[0] + 3].mean() > 0.4  # the left edge of the first box


def empty(regions):
    return type(regions)(regions.boxes[:0], regions.tokens[:0])


def rest(batch):
    return batch.image_ids, batch.original_sizes


def test_words_are_counted(batch):
    assert in_words(batch) == "2 images padded to 64 x 64 pixels, 3 regions, 8 words, 4 in the longest caption"
    assert "5 regions" in in_words(whole_batch())
    assert drawn(whole_batch(), Vocabulary(WORDS))[0].height > 48 * 8
