"""Karpathy's json: the captions and splits of three data sets, their photos in their own layouts."""

import json
from pathlib import Path

import pytest

from densecap.data.coco import Coco
from densecap.data.karpathy import Karpathy
from densecap.errors import UserError
from tests.fakes.coco import write_coco
from tests.fakes.flickr8k import captions_of, photo_ids, write_flickr8k
from tests.fakes.flickr30k import KARPATHY, write_flickr30k
from tests.fakes.karpathy import write_coco_json, write_flickr_json
from tests.fakes.visual_genome import write_json


@pytest.mark.parametrize("year", ["2014", "2017"])
def test_coco_is_what_the_reader_of_coco_gives(tmp_path: Path, year: str) -> None:
    write_coco(tmp_path / "coco", year)
    write_coco_json(tmp_path / "json")
    write_coco_json(tmp_path / "coco")
    ours = Karpathy(tmp_path / "json", images=tmp_path / "coco")
    theirs = {record.image_id: record for record in Coco(tmp_path / "coco").records()}
    records = list(ours.records())
    assert len(records) == len(theirs) == 9 and ours.id_space == "coco"
    for record in records:
        same = theirs[record.image_id]
        assert (record.split, record.captions, record.path) == (same.split, same.captions, same.path)


def test_restval_may_stay_out(tmp_path: Path) -> None:
    write_coco(tmp_path)
    write_coco_json(tmp_path)
    reader = Karpathy(tmp_path, restval=False)
    splits = [record.split for record in reader.records()]
    assert [splits.count(split) for split in ("train", "val", "test")] == [5, 1, 1]
    assert reader.dropped_images == {("in no split", "-"): 2}
    assert reader.facts["splits"] == "Karpathy's split of coco without restval"


def test_flickr_sets_and_another_list(tmp_path: Path) -> None:
    ids = write_flickr8k(tmp_path / "flickr8k")
    write_flickr_json(tmp_path, "flickr8k", {"train": ids[:3], "test": ids[3:4]})
    (first, *_, last) = Karpathy(tmp_path, "flickr8k", tmp_path / "flickr8k").records()
    assert (first.image_id, first.captions, last.split) == (photo_ids(1)[0], captions_of(0), "test")
    assert first.path == tmp_path / "flickr8k" / "Flicker8k_Dataset" / f"{ids[0]}.jpg"
    write_flickr30k(tmp_path / "flickr30k")
    write_flickr_json(tmp_path, "flickr30k", KARPATHY)
    photos = tmp_path / "flickr30k"
    splits = {record.image_id: record.split for record in Karpathy(tmp_path, "flickr30k", photos).records()}
    assert splits == {image_id: split for split, own in KARPATHY.items() for image_id in own}
    with pytest.raises(UserError, match="train.txt does not say which split"):
        Karpathy(tmp_path, "flickr30k", photos, splits=photos / "train.txt")


def test_faults_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="dataset_coco.json does not exist: .*download data=karpathy"):
        Karpathy(tmp_path)
    path = write_coco_json(tmp_path)
    with pytest.raises(UserError, match="data.dataset is one of coco, flickr8k, flickr30k, got vqa"):
        Karpathy(tmp_path, "vqa")
    with pytest.raises(UserError, match="data.images=.* is not a folder"):
        Karpathy(tmp_path, images=tmp_path / "none")
    content = json.loads(path.read_text())
    content["images"][1]["split"] = "restless"
    write_json(path, content)
    with pytest.raises(UserError, match="has a split 'restless'"):
        list(Karpathy(tmp_path).records())
    del content["images"][2]["filename"]
    write_json(path, content)
    with pytest.raises(UserError, match=r"images\[2\] has not the form"):
        list(Karpathy(tmp_path).records())
    write_json(path, {"images": []})
    with pytest.raises(UserError, match="has not the form of dataset_coco.json"):
        list(Karpathy(tmp_path).records())
