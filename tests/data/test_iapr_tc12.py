"""IAPR TC-12: records that are no XML, sentences, the published lists and the split that is not the standard one."""

from pathlib import Path

import pytest

from densecap.data.iapr_tc12 import NUM_TEST, NUM_TRAIN, IaprTc12, read_sentences
from densecap.errors import UserError
from tests.fakes.iapr_tc12 import TEST, TRAIN, UNLISTED, write_iapr_tc12, write_record


@pytest.mark.parametrize("folder", [".", "iaprtc12"])
def test_every_sentence_of_a_listed_image_is_a_caption(tmp_path: Path, folder: str) -> None:
    write_iapr_tc12(tmp_path / folder)
    reader = IaprTc12(tmp_path)
    records = {record.image_id: record for record in reader.records()}
    assert {name: record.split for name, record in records.items()} == {
        **dict.fromkeys(("25", "60", "1000", "1001"), "train"),
        "40000": "test",
    }
    assert records["1000"].captions == ["a brown building & a fountain in Cañón", "two men walk in front of it"]
    assert records["60"].captions == ["a café & a bar"]
    assert records["25"].path == tmp_path / folder / "images/00/25.jpg" and records["25"].path.is_file()
    assert reader.facts["splits"] == "the published lists" and len(reader.sources) == 2
    assert reader.dropped_images == {("in no split", "-"): 1}


def test_records_by_patterns() -> None:
    assert read_sentences("<description>\n a\n cat;; ;on a mat</DESCRIPTION>") == ["a cat", "on a mat"]
    assert read_sentences("<DESCRIPTION>x &lt;3 &amp;amp; y</DESCRIPTION>") == ["x <3 &amp", "y"]
    assert read_sentences("<DESCRIPTION></DESCRIPTION>") == [] == read_sentences("<TITLE>a</TITLE>")


def test_without_lists_a_split_is_drawn_and_called_what_it_is(tmp_path: Path) -> None:
    write_iapr_tc12(tmp_path, lists=False)
    for number in range(100, 120):
        write_record(tmp_path, f"00/{number}", "a dog;")
    reader = IaprTc12(tmp_path, split_seed=1)
    splits = {record.image_id: record.split for record in reader.records()}
    counts = [list(splits.values()).count(split) for split in ("train", "val", "test")]
    assert counts == [24, 0, 26 * NUM_TEST // (NUM_TRAIN + NUM_TEST)] and NUM_TRAIN + NUM_TEST == 19_627
    assert reader.problems[0].startswith("NON-STANDARD SPLIT") and "NON-STANDARD" in reader.facts["splits"]
    assert splits == {record.image_id: record.split for record in IaprTc12(tmp_path, split_seed=1).records()}
    assert splits != {record.image_id: record.split for record in IaprTc12(tmp_path, split_seed=2).records()}


def test_validation_images_come_from_training_alone(tmp_path: Path) -> None:
    write_iapr_tc12(tmp_path)
    reader = IaprTc12(tmp_path, num_val=2)
    splits = {record.image_id: record.split for record in reader.records()}
    assert sorted(splits.values()) == ["test", "train", "train", "val", "val"] and splits["40000"] == "test"
    assert "2 of train for val" in reader.facts["splits"]
    with pytest.raises(UserError, match="data.num_val=4 is not between 0 and the 4 training images"):
        list(IaprTc12(tmp_path, num_val=4).records())


def test_lists_given_by_their_paths_and_images_without_annotation(tmp_path: Path) -> None:
    write_iapr_tc12(tmp_path / "root", lists=False)
    train, test = tmp_path / "my_train.txt", tmp_path / "my_test.txt"
    train.write_text(" ".join([UNLISTED, "\n00/99"]))
    test.write_text("\n".join([*TRAIN, *TEST]))
    reader = IaprTc12(tmp_path / "root", train_list=train, test_list=test)
    assert {record.image_id for record in reader.records() if record.split == "train"} == {"40001"}
    assert reader.dropped_images["in the list of splits, but not annotated", "train"] == 1
    with pytest.raises(UserError, match="my_train.txt is there without the list iaprtc12_test_list.txt"):
        IaprTc12(tmp_path / "root", train_list=train)
    with pytest.raises(UserError, match="data.test_list=.* is not a file"):
        IaprTc12(tmp_path / "root", train_list=train, test_list=tmp_path / "none")
    with pytest.raises(UserError, match="lists image .* under both train and test"):
        list(IaprTc12(tmp_path / "root", train_list=test, test_list=test).records())


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    with pytest.raises(UserError, match="holds no folders images and annotations_complete_eng"):
        IaprTc12(tmp_path)
