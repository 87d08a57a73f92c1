"""The three passes of preprocessing, each against a slow rule or by hand."""

import io
import json
import math
import os
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from densecap.data.box_pass import fit_boxes
from densecap.data.image_pass import PART_SIZE, ImagePass, StoredImage
from densecap.data.images import read_image
from densecap.data.text_pass import NO_REGION_LEFT, NO_WORDS, TOO_LONG, Annotations, collect, encode
from densecap.ops.resize import resize_image
from densecap.structures import ImageRecord
from tests.fakes.visual_genome import write_picture


def record(image_id: str, split: str, *captions: str) -> ImageRecord:
    boxes = [[0, 0, 1 + index, 1] for index in range(len(captions))]
    return ImageRecord(image_id, Path(f"{image_id}.jpg"), split, np.array(boxes), list(captions))


def all_kept(found: Annotations) -> np.ndarray:
    return np.ones(len(found.captions), dtype=bool)


def test_the_length_filter() -> None:
    seen = []
    found = collect(
        [
            record("1", "train", "a b c", "one", "...", "a b c d"),
            record("2", "val", "!", ""),
            record("3", "test", "A  car\0 "),
        ],
        3,
        seen.append,
    )
    assert seen == [1, 1, 1]
    assert found.ids == ["1", "3"] and list(found.region_counts) == [2, 1]
    assert found.captions == ["a b c", "one", "A  car"] and list(found.lengths) == [3, 1, 2]
    assert [found.spelling[number] for number in found.words] == ["a", "b", "c", "one", "a", "car"]
    assert found.boxes[0].tolist() == [[0, 0, 1, 1], [0, 0, 2, 1]]
    assert found.dropped_regions == {(TOO_LONG, "train"): 1, (NO_WORDS, "train"): 1, (NO_WORDS, "val"): 2}
    assert found.dropped_images == {(NO_REGION_LEFT, "val"): 1}


def test_vocabulary_and_unknown_by_hand() -> None:
    found = collect(
        [record("1", "train", "red car", "red bus", "blue car"), record("2", "val", "red van car")], 4, ignore
    )
    encoding = encode(found, all_kept(found), 2, ["train"], 4)
    assert encoding.vocabulary.words == ["car", "red", "<UNK>"]  # equally frequent: alphabet
    assert encoding.tokens.tolist() == [[2, 1, 0, 0], [2, 3, 0, 0], [3, 1, 0, 0], [2, 3, 1, 0]]
    assert encoding.lengths.tolist() == [2, 2, 2, 3]
    assert encoding.counts.tolist() == [2, 2, 2]
    assert encoding.word_totals.tolist() == [6, 3, 0] and encoding.unknown_totals.tolist() == [2, 1, 0]
    everywhere = encode(found, all_kept(found), 2, ["train", "val", "test"], 4)
    assert everywhere.counts.tolist() == [3, 3, 3]


def test_unknown_is_there_when_any_split_needs_it_and_only_then() -> None:
    found = collect([record("1", "train", "a car"), record("2", "test", "a van")], 4, ignore)
    encoding = encode(found, all_kept(found), 1, ["train"], 4)
    assert encoding.vocabulary.words == ["a", "car", "<UNK>"] and encoding.counts.tolist() == [1, 1, 0]
    without_test = encode(found, np.array([True, False]), 1, ["train"], 4)
    assert without_test.vocabulary.words == ["a", "car"] and without_test.tokens.tolist() == [[1, 2, 0, 0]]


def ignore(count: int) -> None:
    """Progress that nobody watches."""


@pytest.mark.parametrize("splits", [["train"], ["train", "val", "test"]])
def test_encoding_against_a_slow_reference(splits: list[str]) -> None:
    numbers = random.Random(0)
    words = [f"w{numbers.randint(0, 9)}{numbers.randint(0, 4)}" for _ in range(60)]
    records = [
        record(
            str(i),
            numbers.choice(["train", "val", "test"]),
            *[" ".join(numbers.choices(words, k=numbers.randint(1, 6))) for _ in range(5)],
        )
        for i in range(40)
    ]
    found = collect(records, 5, ignore)
    kept = np.array([numbers.random() < 0.8 for _ in found.captions])
    encoding = encode(found, kept, 9, splits, 5)

    rows = [(item.split, caption.split()) for item in records for caption in item.captions if len(caption.split()) <= 5]
    rows = [row for row, keep in zip(rows, kept) if keep]
    counts = Counter(word for split, caption in rows if split in splits for word in caption)
    expected = sorted((w for w in counts if counts[w] >= 9), key=lambda w: (-counts[w], w)) + ["<UNK>"]
    assert encoding.vocabulary.words == expected
    ids = {word: index + 1 for index, word in enumerate(expected)}
    for (_, caption), tokens, length in zip(rows, encoding.tokens, encoding.lengths):
        assert tokens.tolist() == [ids.get(word, len(expected)) for word in caption] + [0] * (5 - len(caption))
        assert length == len(caption)
    unknown = sum(word not in ids for _, caption in rows for word in caption)
    assert encoding.unknown_totals.sum() == unknown
    assert encoding.counts[:-1].tolist() == [counts[word] for word in expected[:-1]]


def stored(height: int, width: int, error: str | None = None) -> StoredImage:
    return StoredImage(0, 0, 0, height, width, False, error)


def annotations(*boxes: list[list[float]]) -> Annotations:
    found = Annotations(ids=[str(index) for index in range(len(boxes))])
    found.boxes = [np.array(image, dtype=np.float32).reshape(-1, 4) for image in boxes]
    found.region_counts.extend(map(len, boxes))
    return found


def test_boxes_are_clipped_and_those_without_area_found() -> None:
    found = annotations(
        [[-5, -5, 10, 10], [90, 40, 120, 80], [0, 0, math.inf, math.inf]],
        [[3, 3, 3, 9], [5, 5, 4, 9], [200, 0, 210, 5], [-9, 0, 0, 5]],
        [[0, 0, 5, 5]],
    )
    fitted = fit_boxes(found, [stored(50, 100), stored(50, 100), stored(0, 0, "broken")], {})
    assert fitted.kept.tolist() == [True] * 3 + [False] * 5
    assert fitted.boxes[:3].tolist() == [[0, 0, 10, 10], [90, 40, 100, 50], [0, 0, 100, 50]]
    assert fitted.readable.tolist() == [True] * 7 + [False]


def test_boxes_of_a_resized_file_are_scaled_to_it() -> None:
    found = annotations([[10, 20, 30, 40]], [[10, 20, 30, 40]], [[10, 20, 30, 40]], [[10, 20, 30, 40]])
    sizes = {"0": (600, 800), "1": (600, 800), "2": (600, 800), "3": (0, 0)}
    fitted = fit_boxes(found, [stored(300, 400), stored(600, 800), stored(800, 600), stored(60, 80)], sizes)
    assert fitted.boxes.tolist() == [[5, 10, 15, 20], [10, 20, 30, 40], [10, 20, 30, 40], [10, 20, 30, 40]]
    assert fitted.scaled == ["0"] and fitted.misfits == ["2"]


def test_no_regions_at_all() -> None:
    fitted = fit_boxes(annotations(), [], {})
    assert fitted.boxes.shape == (0, 4) and fitted.kept.shape == (0,)


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Large, small, PNG, rotated, grey, and three that cannot be read."""
    paths = [tmp_path / name for name in ("large.jpg", "small.jpg", "b.png", "rotated.jpg", "grey.jpg")]
    write_picture(paths[0], (90, 120), 1)
    write_picture(paths[1], (30, 40), 2)
    Image.open(paths[1]).save(paths[2])
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(paths[1]).save(paths[3], exif=exif, quality=95)
    Image.open(paths[1]).convert("L").save(paths[4])
    (tmp_path / "cut.jpg").write_bytes(paths[0].read_bytes()[:900])
    (tmp_path / "empty.jpg").write_bytes(b"")
    return [*paths, tmp_path / "cut.jpg", tmp_path / "empty.jpg", tmp_path / "absent.jpg"]


def test_images_are_copied_or_shrunk_never_enlarged(photos: list[Path], tmp_path: Path) -> None:
    images = ImagePass(photos, 60, tmp_path / "parts")
    rows, resumed = images.run(2, ignore)
    jpegs = list(images.jpegs())
    assert resumed == 0 and [row.copied for row in rows[:5]] == [False, True, False, False, True]
    assert [row[1:5] for row in rows[:5]] == [
        (45, 60, 90, 120),
        (30, 40, 30, 40),
        (30, 40, 30, 40),
        (40, 30, 40, 30),
        (30, 40, 30, 40),
    ]
    assert jpegs[1] == photos[1].read_bytes() and jpegs[4] == photos[4].read_bytes()
    shrunk = resize_image(read_image(photos[0]), 60)
    assert (read_image(jpegs[0]).float() - shrunk.float()).abs().mean() < 3
    assert (read_image(jpegs[3]).float() - read_image(photos[3]).float()).abs().mean() < 3
    assert [len(jpeg) for jpeg in jpegs] == [row.num_bytes for row in rows] and jpegs[5:] == [b"", b"", b""]
    for row, reason in zip(rows[5:], ("cut.jpg is damaged", "empty.jpg is empty", "absent.jpg does not exist")):
        assert row.error is not None and reason in row.error


def test_finished_parts_are_found_again_and_stale_ones_are_not(tmp_path: Path) -> None:
    paths = [tmp_path / f"{index}.jpg" for index in range(2 * PART_SIZE + 3)]
    for index, path in enumerate(paths):
        write_picture(path, (8, 10), index)
    parts = tmp_path / "parts"
    rows, _ = ImagePass(paths, 9, parts).run(2, ignore)
    jpegs = list(ImagePass(paths, 9, parts).jpegs())

    def resumed(longest: int = 9, some: list[Path] = paths) -> int:
        again, count = ImagePass(some, longest, parts).run(1, ignore)
        if longest == 9 and some is paths:
            assert again == rows and list(ImagePass(paths, 9, parts).jpegs()) == jpegs
        return count

    assert resumed() == len(paths)
    first = parts / "000000.part"
    first.write_bytes(first.read_bytes()[:-1])  # cut off
    assert resumed() == len(paths) - PART_SIZE
    first.write_bytes(b"{}")
    assert resumed() == len(paths) - PART_SIZE
    status = paths[0].stat()
    os.utime(paths[0], ns=(status.st_atime_ns, status.st_mtime_ns + 10**9))
    assert resumed() == len(paths) - PART_SIZE
    assert resumed(longest=8) == 0 and resumed() == 0
    assert resumed(some=paths[1:]) == 0


def test_a_failure_in_one_thread_ends_the_pass_and_keeps_the_finished_parts(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    write_picture(path, (8, 10), 0)

    seen: list[int] = []

    def advance(count: int) -> None:
        seen.append(count)
        if len(seen) > 3 * PART_SIZE:
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        ImagePass([path] * 10 * PART_SIZE, 9, tmp_path / "parts").run(1, advance)
    assert len(list((tmp_path / "parts").glob("*.part"))) == 3


def test_the_number_of_torch_threads_is_as_before(photos: list[Path], tmp_path: Path) -> None:
    before = torch.get_num_threads()
    ImagePass(photos, 60, tmp_path / "parts").run(2, ignore)
    assert torch.get_num_threads() == before


def test_part_files_begin_with_a_line_of_json(photos: list[Path], tmp_path: Path) -> None:
    ImagePass(photos[:2], 60, tmp_path / "parts").run(1, ignore)
    header = json.loads(io.BytesIO((tmp_path / "parts" / "000000.part").read_bytes()).readline())
    assert len(header["images"]) == 2 and len(header["key"]) == 64
