"""Lists of splits in the forms that people publish."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from densecap.data.coco_images import coco_id
from densecap.data.flickr_captions import photo_id
from densecap.data.split_lists import read_split_list
from densecap.errors import UserError


def test_the_forms_say_the_same(tmp_path: Path) -> None:
    wanted = {"9": "train", "25": "train", "42": "val", "73": "test"}
    forms = {
        "lists.json": '{"train": [9, "25"], "val": ["000000000042"], "test": [73]}',
        "pairs.json": '{"9": "train", "25": "restval", "42": "dev", "COCO_val2014_000000000073.jpg": "test"}',
        "karpathy.json": '{"images": [{"filename": "a.jpg", "split": "train", "cocoid": 9}, {"filename": "b.jpg", '
        '"cocoid": 25, "split": "restval"}, {"filename": "COCO_val2014_000000000042.jpg", "split": "val"}, '
        '{"filename": "c.jpg", "cocoid": 73, "split": "test"}]}',
        "lines.txt": "train/9.jpg 9\ntrain/25.jpg 25\n\nval/000000000042.jpg 42\ntest/73.jpg\n",
    }
    for name, text in forms.items():
        (tmp_path / name).write_text(text)
        found = read_split_list(tmp_path / name, coco_id)
        assert found.splits == wanted and found.name == name and found.sources == (tmp_path / name,)
    np.save(tmp_path / "pickled.npy", np.array({9: "train", 25: "train", "42": "val", 73: "test"}, dtype=object))
    assert read_split_list(tmp_path / "pickled.npy", coco_id).splits == wanted


def test_a_folder_of_lists(tmp_path: Path) -> None:
    for name, text in (
        ("Flickr_8k.trainImages.txt", "a_1.jpg\nb_2.jpg\n"),
        ("my_dev.txt", "c_3\n"),
        ("readme.txt", "x"),
    ):
        (tmp_path / name).write_text(text)
    assert read_split_list(tmp_path, photo_id).splits == {"a_1": "train", "b_2": "train", "c_3": "val"}
    (tmp_path / "val.txt").write_text("d")
    with pytest.raises(UserError, match="two lists of one split, my_dev.txt and val.txt"):
        read_split_list(tmp_path, photo_id)


class Harmful:
    def __reduce__(self) -> tuple:
        return os.mkdir, ("harm",)


def test_a_pickle_cannot_do_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("bad.npy", np.array({1: Harmful()}, dtype=object))
    with pytest.raises(UserError, match=r"bad.npy is no pickled dictionary .*mkdir"):
        read_split_list("bad.npy", coco_id)
    assert not Path("harm").exists()
    np.save("numbers.npy", np.arange(3))
    Path("raw.npy").write_bytes(pickle.dumps({1: "train"}))
    np.save("list.npy", np.array([{1: "train"}, {2: "test"}], dtype=object))
    for name in ("numbers.npy", "raw.npy", "list.npy"):
        with pytest.raises(UserError, match=f"{name} is no pickled dictionary"):
            read_split_list(name, coco_id)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", "{", "is not JSON"),
        ("a.json", '{"val": ["1"]}', "lists no image for training"),
        ("a.json", '{"1": "train", "2": "holdout"}', "puts 2 into 'holdout'"),
        ("a.json", '{"train": ["1", "3"], "test": ["01"]}', "lists image 1 under both train and test"),
        ("a.txt", "1.jpg\n2.jpg\n", "does not say which split its images are in.*'1.jpg'"),
        ("a.txt", "val2014/COCO_val2014_000000000042.jpg 42\n", "puts .* into 'val2014'"),
        ("none.json", None, "is neither a file nor a folder"),
    ],
)
def test_other_files_are_one_sentence(tmp_path: Path, name: str, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=message):
        read_split_list(tmp_path / name, coco_id)
