"""Preprocessing from a folder to the prepared file, on Visual Genome's layout in miniature."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from densecap.data.csv_table import CsvTable
from densecap.data.hdf5 import RegionFile
from densecap.data.images import read_image
from densecap.data.preparation import build_region_file
from densecap.data.prepared import PreparationOptions
from densecap.data.report_table import show_report
from densecap.data.visual_genome import VisualGenome
from densecap.errors import UserError
from tests.fakes.visual_genome import image_path, write_json, write_picture, write_visual_genome

SHARED = Path(__file__).parents[2].parent / "shared" / "data"


def prepared(root: Path, file: Path, **options: object) -> tuple[RegionFile, dict]:
    values = {"name": "fake", "min_token_count": 1, "image_size": 720, **options}
    report = build_region_file(VisualGenome(root), PreparationOptions(**values), file, 2, Console(file=io.StringIO()))
    return RegionFile(file), report


@pytest.mark.parametrize("version", ["1.0", "1.2"])
def test_everything_in_the_folder_is_in_the_file(tmp_path: Path, version: str) -> None:
    entries = write_visual_genome(tmp_path / "vg", version)
    file, report = prepared(tmp_path / "vg", tmp_path / "out" / "vg.h5")
    assert file.ids == [str(number) for number in range(1, 13)]
    assert [len(file.indices(split)) for split in ("train", "val", "test")] == [8, 2, 2]
    assert file.files[:2] == ["VG_100K/1.jpg", "VG_100K_2/2.jpg"]
    for index, entry in enumerate(entries):
        path = image_path(tmp_path / "vg", index + 1)
        assert file.image_bytes(index) == path.read_bytes()  # small enough: untouched
        assert file.captions(index) == [region["phrase"] for region in entry["regions"]]
        boxes, tokens, lengths = file.regions(index)
        for region, box, row, length in zip(entry["regions"], boxes, tokens, lengths):
            x, y = region["x"], region["y"]
            assert box.tolist() == [x, y, x + region["width"], y + region["height"]]
            assert np.count_nonzero(row) == length
    assert file.vocabulary.decode(file.regions(0)[1][0]) == "the dogs left ear"
    assert report["images"] == {"kept": {"train": 8, "val": 2, "test": 2}, "dropped": {}}
    assert report["regions"] == {"kept": {"train": 24, "val": 6, "test": 6}, "dropped": {}}
    assert report["storage"]["copied"] == 12 and report["broken_images"] == []
    assert not (tmp_path / "out" / "vg.h5.parts").exists()
    assert json.loads((tmp_path / "out" / "vg.h5.report.json").read_text(encoding="utf-8")) == report
    assert (
        file.attrs["report"] == report and file.attrs["provenance"]["sources"][0]["file"] == "region_descriptions.json"
    )


def test_large_images_are_shrunk_and_boxes_stay_in_original_pixels(tmp_path: Path) -> None:
    write_visual_genome(tmp_path / "vg")
    file, report = prepared(tmp_path / "vg", tmp_path / "vg.h5", image_size=40)
    assert read_image(file.image_bytes(0)).shape == (3, 30, 40) and file.sizes[0].tolist() == [30, 40]
    assert file.original_sizes[0].tolist() == [60, 80] and file.regions(0)[0][0].tolist() == [0, 0, 40, 30]
    assert report["storage"]["reencoded"] == 12


def test_what_cannot_be_used_is_dropped_counted_and_never_fatal(tmp_path: Path) -> None:
    root = tmp_path / "vg"
    entries = write_visual_genome(root)
    entries[0]["regions"][0]["phrase"] = "..."
    entries[0]["regions"][1]["phrase"] = "far too long a phrase " * 4
    entries[0]["regions"][2]["x"] = 79.5  # half a pixel is left inside
    entries[1]["regions"] = [{"phrase": "outside", "x": 80, "y": 0, "width": 5, "height": 5}]
    entries[2]["regions"][0]["width"] = 0
    entries[3]["regions"] = [{"phrase": "!", "x": 0, "y": 0, "width": 5, "height": 5}]
    entries[8]["regions"][0]["phrase"] = "naïve \U0001f431 猫"
    write_json(root / "region_descriptions.json", entries)
    image_path(root, 5).write_bytes(b"<html>not found</html>")
    image_path(root, 6).write_bytes(image_path(root, 6).read_bytes()[:-300])
    image_path(root, 12).unlink()
    file, report = prepared(root, tmp_path / "vg.h5", name="visual_genome_fake")
    assert file.ids == ["1", "3", "7", "8", "9", "10", "11"]
    assert file.regions(0)[0].tolist() == [[79.5, 6, 80, 36]] and len(file.captions(1)) == 2
    assert file.captions(4)[0] == "naïve \U0001f431 猫"
    assert report["images"]["dropped"] == {
        "image not readable": {"train": 2, "test": 1},
        "no region left": {"train": 2},
    }
    assert report["regions"]["dropped"] == {
        "image not readable": {"train": 6, "test": 3},
        "box without area": {"train": 2},
        "caption without words": {"train": 2},
        "caption longer than max_tokens": {"train": 1},
    }
    reasons = [entry["reason"] for entry in report["broken_images"]]
    assert ["not an image" in reasons[0], "damaged" in reasons[1], "does not exist" in reasons[2]] == [True] * 3
    per_image = report["storage"]["file_bytes"] / 7
    assert report["storage"]["full_visual_genome_gb"] == round(per_image * 108077 / 1e9, 2)
    kept = report["regions"]["kept"]
    dropped = sum(sum(counts.values()) for counts in report["regions"]["dropped"].values())
    assert sum(kept.values()) + dropped == sum(len(entry["regions"]) for entry in entries)


def test_words_of_dropped_regions_do_not_count(tmp_path: Path) -> None:
    entries = write_visual_genome(tmp_path / "vg")
    entries[0]["regions"].append({"phrase": "zebra", "x": 0, "y": 0, "width": 0, "height": 9})
    entries[10]["regions"][0]["phrase"] = "zebra"
    write_json(tmp_path / "vg" / "region_descriptions.json", entries)
    file, report = prepared(tmp_path / "vg", tmp_path / "vg.h5")
    assert "zebra" not in file.vocabulary and file.vocabulary.words[-1] == "<UNK>"
    assert report["vocabulary"]["unknown"] == {"train": 0, "val": 0, "test": 1}
    everywhere, _ = prepared(tmp_path / "vg", tmp_path / "all.h5", vocabulary_splits=("train", "val", "test"))
    assert "zebra" in everywhere.vocabulary and everywhere.vocabulary.unknown is None


def test_resized_copies_of_the_images_carry_their_boxes(tmp_path: Path) -> None:
    write_visual_genome(tmp_path / "vg")
    write_picture(image_path(tmp_path / "vg", 1), (30, 40), 1)
    file, report = prepared(tmp_path / "vg", tmp_path / "vg.h5")
    assert file.original_sizes[0].tolist() == [30, 40] and file.regions(0)[0][0].tolist() == [0, 0, 20, 15]
    assert "1 images are of another size than annotated" in report["problems"][0]


def test_two_runs_give_the_same_file(tmp_path: Path) -> None:
    write_visual_genome(tmp_path / "vg", num_images=40)
    first, _ = prepared(tmp_path / "vg", tmp_path / "a.h5", image_size=50, min_token_count=5)
    second, _ = prepared(tmp_path / "vg", tmp_path / "b.h5", image_size=50, min_token_count=5)
    assert first.vocabulary == second.vocabulary
    assert all(first.image_bytes(index) == second.image_bytes(index) for index in range(len(first)))
    for index in range(len(first)):
        assert all(np.array_equal(a, b) for a, b in zip(first.regions(index), second.regions(index)))


def test_nothing_to_train_on_is_said_with_the_reason(tmp_path: Path) -> None:
    write_visual_genome(tmp_path / "vg")
    with pytest.raises(UserError, match="no word occurs data.min_token_count=100 times in train: lower it"):
        prepared(tmp_path / "vg", tmp_path / "vg.h5", min_token_count=100)
    for number in range(1, 9):
        image_path(tmp_path / "vg", number).unlink()
    with pytest.raises(
        UserError, match=r"left for training .*8 images are not readable, first: .*1.jpg does not exist"
    ):
        prepared(tmp_path / "vg", tmp_path / "vg.h5")
    assert not (tmp_path / "vg.h5").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_token_count": 0}, "data.min_token_count is a whole number above 0, got 0"),
        ({"max_tokens": 1.5}, "data.max_tokens is a whole number above 0, got 1.5"),
        ({"vocabulary_splits": ("train", "dev")}, "list of train, val and test"),
        ({"vocabulary_splits": ()}, "list of train, val and test"),
    ],
)
def test_options_that_make_no_sense(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        PreparationOptions("fake", **options)


def test_a_table_of_photos(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.jpg", (30, 40), 1)
    write_picture(tmp_path / "b (2).jpg", (50, 20), 2)
    (tmp_path / "captions.csv").write_text(
        "image,caption,x,y,w,h\na.jpg,A cat!,1,2,10,10\na.jpg,a photo,,,,\nb (2).jpg,a dog,10,10,100,100\n"
    )
    options = PreparationOptions("csv", min_token_count=1)
    build_region_file(CsvTable(tmp_path), options, tmp_path / "csv.h5", 1, Console(file=io.StringIO()))
    file = RegionFile(tmp_path / "csv.h5")
    assert file.ids == ["a.jpg", "b (2).jpg"] and file.files == file.ids
    assert file.regions(0)[0].tolist() == [[1, 2, 11, 12], [0, 0, 40, 30]]
    assert file.regions(1)[0].tolist() == [[10, 10, 20, 50]]
    assert file.vocabulary.words == ["a", "cat", "dog", "photo"]
    assert file.attrs["report"]["problems"] == ["there is no image for val", "there is no image for test"]


def test_the_report_is_shown_with_every_number(tmp_path: Path) -> None:
    entries = write_visual_genome(tmp_path / "vg")
    entries[0]["regions"][0]["phrase"] = "..."
    write_json(tmp_path / "vg" / "region_descriptions.json", entries)
    for number in range(1, 4):
        image_path(tmp_path / "vg", number).write_bytes(b"[bold]")
    _, report = prepared(tmp_path / "vg", tmp_path / "vg.h5", name="visual_genome", min_token_count=3)
    console = Console(file=io.StringIO(), width=100)
    show_report(report, console, most_broken=2)
    text = console.file.getvalue()
    for words in (
        "regions dropped: image not readable",
        "caption without words",
        "108,077",
        "1 more images",
        "your own",
    ):
        assert words in text
    assert f"{report['vocabulary']['share_unknown']['val']:.2%}" in text


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_real_visual_genome(tmp_path: Path) -> None:
    file, report = prepared(SHARED / "visual_genome_10", tmp_path / "vg.h5", name="visual_genome", min_token_count=15)
    assert len(file) == 10 and report["regions"]["kept"] == {"train": 1805, "val": 93, "test": 193}
    assert report["storage"]["full_visual_genome_gb"] < 20
    words = [word if word in file.vocabulary else "<UNK>" for word in ["the", "clock", "is", "green", "in", "colour"]]
    assert file.vocabulary.decode(file.regions(0)[1][0]) == " ".join(words)
    assert list(file.word_counts[:-1]) == sorted(file.word_counts[:-1], reverse=True)
