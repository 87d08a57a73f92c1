"""The reader of Visual Genome's layout, its split lists and its streamed JSON."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from densecap.data.json_stream import iterate_json_array
from densecap.data.splits import DENSECAP_SPLITS_SHA256, find_splits, read_splits, seeded_splits, sha256_of_file
from densecap.data.visual_genome import MALFORMED, NO_REGIONS, NOT_ANNOTATED, REPEATED, VisualGenome, parse_regions
from densecap.errors import UserError
from tests.fakes.visual_genome import image_path, write_json, write_visual_genome

SHARED = Path(__file__).parents[2].parent / "shared" / "data"


@pytest.mark.parametrize("version", ["1.0", "1.2"])
def test_both_versions_and_both_folders(tmp_path: Path, version: str) -> None:
    entries = write_visual_genome(tmp_path, version)
    reader = VisualGenome(tmp_path, version=version)
    records = list(reader.records())
    assert [record.image_id for record in records] == [str(number) for number in range(1, 13)]
    assert [record.split for record in records] == ["train"] * 8 + ["val"] * 2 + ["test"] * 2
    assert all(record.path == image_path(tmp_path, int(record.image_id)) for record in records)
    first = entries[0]["regions"][1]
    assert records[0].captions[1] == first["phrase"]
    x, y, width, height = (first[key] for key in ("x", "y", "width", "height"))
    assert records[0].boxes.dtype == np.float32 and records[0].boxes[1].tolist() == [x, y, x + width, y + height]
    assert reader.annotated_sizes["7"] == (60, 80)
    assert not reader.dropped_images and not reader.dropped_regions and not reader.problems
    assert reader.facts["splits"] == "splits.json: your own"


def test_one_flat_folder_and_other_endings(tmp_path: Path) -> None:
    write_visual_genome(tmp_path, num_images=6)
    (tmp_path / "images").mkdir()
    for folder in ("VG_100K", "VG_100K_2"):
        for path in (tmp_path / folder).iterdir():
            shutil.move(path, tmp_path / "images" / path.with_suffix(".JPEG").name)
        (tmp_path / folder).rmdir()
    paths = [record.path for record in VisualGenome(tmp_path).records()]
    assert paths == [tmp_path / "images" / f"{number}.JPEG" for number in range(1, 7)]


def test_the_id_may_stand_in_the_regions_alone(tmp_path: Path) -> None:
    entries = write_visual_genome(tmp_path, num_images=6)
    write_json(tmp_path / "region_descriptions.json", [{"regions": entry["regions"]} for entry in entries])
    assert [record.image_id for record in VisualGenome(tmp_path).records()] == list("123456")


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    entries = write_visual_genome(tmp_path)
    del entries[0]["regions"][0]["phrase"]
    entries[0]["regions"][1]["x"] = None
    entries[1]["regions"][2]["width"] = float("nan")
    entries[2]["regions"] = []
    entries[3]["regions"] = [{"phrase": 5, "x": 1, "y": 1, "width": 2, "height": 2}, "nonsense"]
    extra = [{**entries[4], "image_id": 99}, entries[5], {"regions": "none"}, 17]
    write_json(tmp_path / "region_descriptions.json", [*entries[:11], *extra])
    reader = VisualGenome(tmp_path)
    records = {record.image_id: record for record in reader.records()}
    assert sorted(records, key=int) == ["1", "2", "5", "6", "7", "8", "9", "10", "11"]
    assert len(records["1"].captions) == 1 and len(records["2"].captions) == 2
    assert reader.dropped_regions == {(MALFORMED, "train"): 2 + 1 + 2}
    assert reader.dropped_images == {
        (NO_REGIONS, "train"): 1,
        (MALFORMED, "train"): 1,
        ("in no split", "-"): 1,
        (REPEATED, "train"): 1,
        (MALFORMED, "-"): 2,
        (NOT_ANNOTATED, "test"): 1,
    }


def test_a_missing_image_is_left_to_the_image_pass(tmp_path: Path) -> None:
    write_visual_genome(tmp_path)
    image_path(tmp_path, 2).unlink()
    assert len(list(VisualGenome(tmp_path).records())) == 12


def test_a_damaged_image_data_file_is_a_note(tmp_path: Path) -> None:
    write_visual_genome(tmp_path)
    (tmp_path / "image_data.json").write_text('[{"image_id": 1}]')
    reader = VisualGenome(tmp_path)
    assert len(list(reader.records())) == 12 and "image_data.json was not used" in reader.problems[0]


def test_what_is_missing_is_said_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a folder: fetch it with `python -m densecap download"):
        VisualGenome(tmp_path / "absent")
    with pytest.raises(UserError, match="region_descriptions.json does not exist"):
        VisualGenome(tmp_path)
    write_visual_genome(tmp_path)
    with pytest.raises(UserError, match="data.version is one of 1.0, 1.2, got 3"):
        VisualGenome(tmp_path, version="3")
    with pytest.raises(UserError, match="data.splits=nowhere.json is not a file"):
        VisualGenome(tmp_path, splits="nowhere.json")
    (tmp_path / "splits.json").rename(tmp_path / "densecap_splits.json")
    assert VisualGenome(tmp_path).splits_path.name == "densecap_splits.json"
    (tmp_path / "densecap_splits.json").unlink()
    with pytest.raises(UserError, match=r"only=\[splits\]`, or give your own with data.splits=FILE"):
        VisualGenome(tmp_path)
    for folder in ("VG_100K", "VG_100K_2"):
        shutil.rmtree(tmp_path / folder)
    with pytest.raises(UserError, match="holds no images"):
        VisualGenome(tmp_path)


def test_regions_as_strings_of_numbers_are_read() -> None:
    boxes, captions = parse_regions([{"phrase": "a", "x": "1", "y": "2", "width": "3", "height": "4"}])
    assert boxes.tolist() == [[1, 2, 4, 6]] and captions == ["a"]
    boxes, captions = parse_regions([])
    assert boxes.shape == (0, 4) and captions == []


@pytest.mark.parametrize("chunk_size", [1, 2, 7, 64, 100000])
def test_streamed_json_equals_json(tmp_path: Path, chunk_size: int) -> None:
    content = [{"a": [1, 2, {"b": '] , [ " é 猫'}]}, {}, {"c": None, "d": -1.5e3}, {"e": {"f": []}}]
    for text in (
        json.dumps(content),
        json.dumps(content, indent=2, ensure_ascii=False),
        "\ufeff\n " + json.dumps(content),
    ):
        (tmp_path / "a.json").write_text(text, encoding="utf-8")
        assert list(iterate_json_array(tmp_path / "a.json", chunk_size)) == content
    (tmp_path / "a.json").write_text(" [ ] ")
    assert list(iterate_json_array(tmp_path / "a.json", chunk_size)) == []


def test_json_that_is_cut_off_or_none(tmp_path: Path) -> None:
    text = json.dumps([{"a": "x" * 50}] * 5)
    for cut in (len(text) - 1, len(text) - 10, 20):
        (tmp_path / "a.json").write_text(text[:cut])
        with pytest.raises(UserError, match=r"a.json is not complete JSON \(.* at character \d+\): download it again"):
            list(iterate_json_array(tmp_path / "a.json", 16))
    for text in ("", "<html>", '{"a": 1}'):
        (tmp_path / "a.json").write_text(text)
        with pytest.raises(UserError, match="does not begin like a JSON array"):
            list(iterate_json_array(tmp_path / "a.json"))


def test_a_fault_in_the_middle_is_found_without_reading_on(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"a": 1}, oops, ' + '{"a": 1}, ' * 50000 + "]")
    with pytest.raises(UserError, match="at character 11"):
        list(iterate_json_array(tmp_path / "a.json", 1 << 20))


def test_split_lists_that_make_no_sense(tmp_path: Path) -> None:
    path = tmp_path / "splits.json"
    for content, message in (
        ("no json", "is not JSON"),
        ("[1, 2]", "no list of splits"),
        ('{"train": 5}', "no list of splits"),
        ('{"train": [], "val": [1]}', "lists no image for training"),
        ('{"train": [1, 2], "test": ["2"]}', "lists image 2 under both train and test"),
    ):
        path.write_text(content)
        with pytest.raises(UserError, match=message):
            read_splits(path)
    path.write_text('{"train": [1, "b"], "test": [3]}')
    assert read_splits(path) == {"1": "train", "b": "train", "3": "test"}


def test_the_given_split_file_wins(tmp_path: Path) -> None:
    write_visual_genome(tmp_path)
    write_json(tmp_path / "mine.json", {"train": [3], "val": [4]})
    assert find_splits(tmp_path, tmp_path / "mine.json").name == "mine.json"
    records = list(VisualGenome(tmp_path, tmp_path / "mine.json").records())
    assert [(record.image_id, record.split) for record in records] == [("3", "train"), ("4", "val")]


def test_seeded_splits() -> None:
    names = [f"{number}.jpg" for number in range(57)]
    splits = seeded_splits(names, 3)
    assert splits == seeded_splits(names[::-1], 3) and splits != seeded_splits(names, 4)
    counts = {split: list(splits.values()).count(split) for split in ("train", "val", "test")}
    assert counts == {"train": 47, "val": 5, "test": 5}
    assert set(seeded_splits(names[:9], 3).values()) == {"train"}


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_the_published_split_is_recognised(tmp_path: Path) -> None:
    published = SHARED / "splits" / "densecap_splits.json"
    assert sha256_of_file(published) == DENSECAP_SPLITS_SHA256
    splits = list(read_splits(published).values())
    assert [splits.count(split) for split in ("train", "val", "test")] == [77398, 5000, 5000]
    write_visual_genome(tmp_path)
    reader = VisualGenome(tmp_path, published)
    records = list(reader.records())
    assert reader.facts["splits"] == "densecap_splits.json: the published DenseCap split"
    assert len(records) + reader.dropped_images["in no split", "-"] == 12


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_real_descriptions() -> None:
    records = list(VisualGenome(SHARED / "visual_genome_10").records())
    assert len(records) == 10 and sum(len(record.captions) for record in records) == 2091
    assert all(record.path.is_file() for record in records)
    assert records[0].captions[0] == "the clock is green in colour"
    assert records[0].boxes[0].tolist() == [421, 57, 421 + 82, 57 + 139]
