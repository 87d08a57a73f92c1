"""Flickr30K: both caption files, both published splits, captions about something else."""

from pathlib import Path

import pytest

from densecap.data.flickr30k import UNRELATED, Flickr30k
from densecap.data.flickr_captions import photo_id
from densecap.data.split_lists import files_of_splits, read_list_files, read_split_list
from densecap.errors import UserError
from tests.fakes.flickr8k import captions_of
from tests.fakes.flickr30k import ENTITIES, IDS, KARPATHY, write_flickr30k
from tests.fakes.karpathy import write_flickr_json

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "splits"


def splits_of(reader: Flickr30k) -> dict[str, str]:
    return {record.image_id: record.split for record in reader.records()}


def by_image(lists: dict[str, list[str]]) -> dict[str, str]:
    return {image_id: split for split, ids in lists.items() for image_id in ids}


@pytest.mark.parametrize("table", [False, True])
def test_the_token_file_and_the_table_say_the_same(tmp_path: Path, table: bool) -> None:
    write_flickr30k(tmp_path, table)
    reader = Flickr30k(tmp_path, drop_unrelated=False)
    records = list(reader.records())
    assert [record.image_id for record in records] == IDS[:7]
    assert all(record.captions == captions_of(number) for number, record in enumerate(records))
    assert reader.dropped_regions["malformed caption", "-"] == 0


def test_karpathys_split_as_lines_and_as_json_and_that_of_entities(tmp_path: Path) -> None:
    write_flickr30k(tmp_path)
    reader = Flickr30k(tmp_path)
    assert splits_of(reader) == by_image(KARPATHY)
    assert reader.dropped_images == {("in no split", "-"): 1} and IDS[7] in reader.problems[0]
    assert splits_of(Flickr30k(tmp_path, split_list="entities")) == by_image(ENTITIES)
    write_flickr_json(tmp_path, "flickr30k", KARPATHY | {"test": IDS[5:]})
    (tmp_path / "karpathy_flickr30k_images.txt").unlink()
    assert splits_of(Flickr30k(tmp_path))[IDS[7]] == "test"


def test_unrelated_captions_are_left_out_of_training_alone_and_all_are_counted(tmp_path: Path) -> None:
    write_flickr30k(tmp_path)
    reader = Flickr30k(tmp_path)
    records = {record.image_id: record for record in reader.records()}
    assert records[IDS[0]].captions == captions_of(0)[:4]  # its number 5, counted from 1
    assert records[IDS[3]].captions == captions_of(3)[1:]
    assert records[IDS[5]].captions == captions_of(5)  # a test image
    assert reader.dropped_regions[UNRELATED, "train"] == 2
    assert reader.facts["unrelated captions"] == "3 listed (1 in test, 2 in train); those in train are left out"
    assert tmp_path / "UNRELATED_CAPTIONS" in reader.sources


def test_without_that_list_everything_is_taken_and_the_report_says_so(tmp_path: Path) -> None:
    write_flickr30k(tmp_path)
    (tmp_path / "UNRELATED_CAPTIONS").unlink()
    reader = Flickr30k(tmp_path)
    assert sum(len(record.captions) for record in reader.records()) == 35
    assert "UNRELATED_CAPTIONS" in reader.problems[0]


def test_a_split_that_is_not_there_is_not_guessed(tmp_path: Path) -> None:
    write_flickr30k(tmp_path)
    (tmp_path / "karpathy_flickr30k_images.txt").unlink()
    with pytest.raises(UserError, match="holds no list of the karpathy split .*only=.splits.*data.splits=FILE"):
        Flickr30k(tmp_path)
    with pytest.raises(UserError, match="data.split_list is one of karpathy, entities, got mrnn"):
        Flickr30k(tmp_path, split_list="mrnn")
    (tmp_path / "UNRELATED_CAPTIONS").write_text("12 five\n")
    with pytest.raises(UserError, match="UNRELATED_CAPTIONS, line 1"):
        Flickr30k(tmp_path, split_list="entities")


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_the_real_lists() -> None:
    karpathy = read_split_list(SHARED / "flickr30k_karpathy" / "karpathy_flickr30k_images.txt", photo_id).splits
    entities = read_list_files(files_of_splits(SHARED / "flickr30k_entities"), photo_id, "entities").splits
    counts = [[list(own.values()).count(split) for split in ("train", "val", "test")] for own in (karpathy, entities)]
    assert counts == [[29_000, 1_014, 1_000], [29_783, 1_000, 1_000]]
    tests = [{name for name, split in own.items() if split == "test"} for own in (karpathy, entities)]
    assert len(tests[0] & tests[1]) == 25 and len(set(entities) - set(karpathy)) == 769
