"""COCO in the layouts of 2014 and 2017, with Karpathy's, m-RNN's, the official and anybody's split."""

import json
from pathlib import Path

import numpy as np
import pytest

from densecap.data.coco import Coco
from densecap.data.coco_images import coco_id
from densecap.data.coco_splits import karpathys_pair
from densecap.data.split_lists import read_split_list
from densecap.errors import UserError
from tests.fakes.coco import (
    TEST_2014,
    TRAIN_2014,
    VAL_2014,
    annotations,
    captions_of,
    file_name,
    write_coco,
    write_photos,
)
from tests.fakes.karpathy import write_coco_json
from tests.fakes.visual_genome import write_json

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
IDS = [str(number) for number in (*TRAIN_2014, *VAL_2014)]
KARPATHY = dict.fromkeys(IDS[:7], "train") | {"74": "val", "133": "test"}


def splits_of(reader: Coco) -> dict[str, str]:
    return {record.image_id: record.split for record in reader.records()}


def test_one_number_has_many_names() -> None:
    names = ("42", "000000000042", "000000000042.jpg", "COCO_val2014_000000000042.jpg", "val2017/000000000042.jpg")
    assert {coco_id(name) for name in names} == {"42"}
    assert coco_id("photo 42.jpg") == "photo 42.jpg" and coco_id("000000000000.jpg") == "0"


@pytest.mark.parametrize("year", ["2014", "2017"])
def test_karpathys_split_finds_its_photos_in_both_layouts(tmp_path: Path, year: str) -> None:
    write_coco(tmp_path, year)
    write_coco_json(tmp_path)
    reader = Coco(tmp_path)  # version 2014, whichever is there
    records = {record.image_id: record for record in reader.records()}
    assert {name: record.split for name, record in records.items()} == KARPATHY
    assert all(record.path.is_file() for record in records.values())
    assert records["25"].captions == captions_of(25) and len(records["25"].captions) == 6
    assert reader.facts["captions"] == f"annotations of {year}" and not reader.problems


def test_captions_of_one_year_with_photos_of_the_other(tmp_path: Path) -> None:
    write_coco(tmp_path, "2014", images=False)
    write_photos(tmp_path / "images" / "train2017", [file_name(int(name), "train", "2017") for name in IDS])
    write_coco_json(tmp_path)
    assert all(record.path.parts[-2] == "train2017" and record.path.is_file() for record in Coco(tmp_path).records())


def test_the_official_split_depends_on_the_year_and_is_not_guessed(tmp_path: Path) -> None:
    write_coco(tmp_path, "2017")
    with pytest.raises(UserError, match="has the captions of 2017, not those of 2014: choose data.version=2017"):
        Coco(tmp_path, split_list="official")
    reader = Coco(tmp_path, version="2017", split_list="official")
    assert splits_of(reader) == dict.fromkeys(IDS[:8], "train") | {"133": "val"}
    write_coco(tmp_path, "2014")
    assert list(splits_of(Coco(tmp_path, split_list="official")).values()) == ["train"] * 5 + ["val"] * 4


def test_karpathys_two_text_lists_leave_the_rest_for_training(tmp_path: Path) -> None:
    write_coco(tmp_path)
    for split, image_id in (("val", 74), ("test", 133)):
        line = f"val2014/{file_name(image_id, 'val', '2014')} {image_id}\n"
        (tmp_path / f"karpathy_{split}_images.txt").write_text(line)
    assert splits_of(Coco(tmp_path)) == KARPATHY
    (tmp_path / "lists").mkdir()
    for path in tmp_path.glob("karpathy_*.txt"):
        path.rename(tmp_path / "lists" / path.name)
    assert splits_of(Coco(tmp_path, splits=tmp_path / "lists")) == KARPATHY
    for path in (tmp_path / "lists").iterdir():
        path.rename(path.with_name(path.name.replace("karpathy", "my")))
    with pytest.raises(UserError, match="no list of training images"):  # somebody else's rest may be anything
        Coco(tmp_path, splits=tmp_path / "lists")


def test_mrnns_split_and_the_broken_photo(tmp_path: Path) -> None:
    write_coco(tmp_path)
    content = annotations([*TRAIN_2014, 167126], "train", "2014")
    write_json(tmp_path / "annotations" / "captions_train2014.json", content)
    lists = {int(name): "train" for name in IDS[:6]} | {167126: "train", 73: "val", 74: "test"}
    np.save(tmp_path / "MRNN_split_dict.npy", np.array(lists, dtype=object), allow_pickle=True)
    reader = Coco(tmp_path, split_list="mrnn")
    assert splits_of(reader) == dict.fromkeys(IDS[:6], "train") | {"73": "val", "74": "test"}
    assert reader.dropped_images["broken as published (167126)", "train"] == 1
    assert reader.dropped_images["in no split", "-"] == 1


def test_test_images_without_captions_are_listed(tmp_path: Path) -> None:
    write_coco(tmp_path)
    write_coco_json(tmp_path)
    reader = Coco(tmp_path)
    assert reader.test_images() == [str(number) for number in TEST_2014]
    assert "16" not in splits_of(reader)
    assert reader.facts["test images without captions"].startswith("2:")


def test_entries_that_fit_nothing_are_counted(tmp_path: Path) -> None:
    write_coco(tmp_path)
    write_coco_json(tmp_path)
    path = tmp_path / "annotations" / "captions_train2014.json"
    content = json.loads(path.read_text())
    content["images"].append(content["images"][0])
    content["annotations"] += [
        content["annotations"][0],  # the same id again
        {"image_id": 999, "id": 1, "caption": "of an unknown image"},
        {"image_id": 9, "id": 2, "caption": None},
        "nonsense",
    ]
    content["annotations"] = [
        entry for entry in content["annotations"] if entry == "nonsense" or entry["image_id"] != 30
    ]
    write_json(path, content)
    reader = Coco(tmp_path)
    records = {record.image_id: record for record in reader.records()}
    assert records["9"].captions == captions_of(9) and "30" not in records
    regions = {reason: count for (reason, _), count in reader.dropped_regions.items()}
    assert regions == {
        "caption given a second time": 1,
        "caption of an image that is not there": 1,
        "malformed caption": 2,
    }
    images = {reason: count for (reason, _), count in reader.dropped_images.items()}
    assert images == {"annotated a second time": 1, "no caption annotated": 1}


def test_faults_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no list of the karpathy split .*only=.splits."):
        Coco(tmp_path)
    write_coco_json(tmp_path)
    with pytest.raises(UserError, match="holds no captions_train2014.json or captions_val2014.json"):
        Coco(tmp_path)
    write_coco(tmp_path, images=False)
    with pytest.raises(UserError, match="holds no photos"):
        Coco(tmp_path)
    (tmp_path / "train2014").mkdir()
    with pytest.raises(UserError, match="data.version is 2014 or 2017, got 2015"):
        Coco(tmp_path, version="2015")
    with pytest.raises(UserError, match="data.split_list is one of karpathy, mrnn, official, got entities"):
        Coco(tmp_path, split_list="entities")
    for text, message in (
        ("{", "is not JSON"),
        ("[]", "has no list 'images'"),
        ('{"images": [1], "annotations": []}', ""),
    ):
        (tmp_path / "annotations" / "captions_train2014.json").write_text(text)
        with pytest.raises(UserError, match=f"captions_train2014.json.*{message}"):
            list(Coco(tmp_path).records())


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_the_real_subset_and_the_real_lists() -> None:
    lists = SHARED / "splits"
    derived = read_split_list(lists / "karpathy" / "coco_karpathy_split_ids_derived.json", coco_id).splits
    pair = karpathys_pair(lists / "karpathy")
    assert pair is not None and pair.splits == {name: split for name, split in derived.items() if split != "train"}
    mrnn = read_split_list(lists / "coco_mrnn" / "mrnn_coco_split_ids.json", coco_id).splits
    counts = [[list(own.values()).count(split) for split in ("train", "val", "test")] for own in (derived, mrnn)]
    assert counts == [[113_287, 5_000, 5_000], [118_287, 4_000, 1_000]]
    records = list(Coco(SHARED / "coco", version="2017", split_list="official").records())
    splits = [record.split for record in records]
    assert (splits.count("train"), splits.count("val")) == (130, 331)
    assert all(record.path.is_file() and len(record.captions) >= 5 for record in records)
