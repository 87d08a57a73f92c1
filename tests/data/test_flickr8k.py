"""Flickr8K: the official layout and lists, the photo that nobody has, faults of files."""

import io
import math
from pathlib import Path

import pytest
from rich.console import Console

from densecap.data.flickr8k import Flickr8k
from densecap.data.hdf5 import RegionFile
from densecap.data.preparation import build_region_file
from densecap.data.prepared import PreparationOptions
from densecap.errors import UserError
from tests.fakes.flickr8k import captions_of, write_flickr8k

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "flickr8k"


@pytest.mark.parametrize("text", ["Flickr8k_text", "."])
def test_five_captions_of_every_photo_in_the_official_splits(tmp_path: Path, text: str) -> None:
    ids = write_flickr8k(tmp_path, text=text)
    reader = Flickr8k(tmp_path)
    records = list(reader.records())
    assert [record.image_id for record in records] == ids[:8]
    assert [record.split for record in records] == ["train"] * 4 + ["val"] * 2 + ["test"] * 2
    for number, record in enumerate(records):
        assert record.captions == captions_of(number)
        assert record.boxes.tolist() == [[0, 0, math.inf, math.inf]] * 5
        assert record.path == tmp_path / "Flicker8k_Dataset" / f"{ids[number]}.jpg" and record.path.is_file()


def test_the_photo_that_nobody_has_and_photos_in_no_list_are_counted(tmp_path: Path) -> None:
    ids = write_flickr8k(tmp_path)
    reader = Flickr8k(tmp_path)
    assert len(list(reader.records())) == 8
    assert reader.dropped_regions[("caption of an image that is not there", "-")] == 5
    assert reader.dropped_images == {("in no split", "-"): 1}
    assert reader.problems == [f"1 captioned images are in no split of the official lists and left out ({ids[8]})"]


def test_prepared_whole_images_have_the_box_of_their_photo(tmp_path: Path) -> None:
    write_flickr8k(tmp_path / "root")
    options = PreparationOptions(name="flickr8k", image_size=64, min_token_count=1, max_tokens=50)
    report = build_region_file(Flickr8k(tmp_path / "root"), options, tmp_path / "f.h5", 1, Console(file=io.StringIO()))
    file = RegionFile(tmp_path / "f.h5")
    assert report["images"]["kept"] == {"train": 4, "val": 2, "test": 2}
    assert file.regions(0)[0].tolist() == [[0, 0, 32, 24]] * 5
    assert file.captions(0) == captions_of(0) and file.attrs["provenance"]["id_space"] == "flickr"


def test_missing_photos_and_listed_photos_without_captions_are_counted(tmp_path: Path) -> None:
    ids = write_flickr8k(tmp_path)
    (tmp_path / "Flicker8k_Dataset" / f"{ids[0]}.jpg").unlink()
    with (tmp_path / "Flickr8k_text" / "Flickr_8k.testImages.txt").open("a") as file:
        file.write("77_ab.jpg\n")
    options = PreparationOptions(name="flickr8k", image_size=64, min_token_count=1, max_tokens=50)
    report = build_region_file(Flickr8k(tmp_path), options, tmp_path / "f.h5", 1, Console(file=io.StringIO()))
    dropped = report["images"]["dropped"]
    assert dropped["image not readable"] == {"train": 1}
    assert dropped["in the list of splits, but not annotated"] == {"test": 1}
    assert ids[0] in report["broken_images"][0]["file"]


def test_repeated_and_malformed_lines_are_counted(tmp_path: Path) -> None:
    ids = write_flickr8k(tmp_path)
    with (tmp_path / "Flickr8k_text" / "Flickr8k.token.txt").open("a") as file:
        file.write(f"{ids[0]}.jpg#0\tagain\nno tab here\n\n")
    reader = Flickr8k(tmp_path)
    first = next(iter(list(reader.records())))
    assert first.captions == captions_of(0)
    assert reader.dropped_regions["caption given a second time", "-"] == 1
    assert reader.dropped_regions["malformed caption", "-"] == 1


def test_another_list_of_splits_wins(tmp_path: Path) -> None:
    ids = write_flickr8k(tmp_path)
    mine = tmp_path / "mine.json"
    mine.write_text(f'{{"train": ["{ids[8]}.jpg"], "test": ["{ids[0]}"]}}')
    reader = Flickr8k(tmp_path, splits=mine)
    found = {record.image_id: record.split for record in reader.records()}
    assert found == {ids[0]: "test", ids[8]: "train"} and reader.sources[-1] == mine


def damage(root: Path, what: str) -> None:
    text = root / "Flickr8k_text"
    if what == "encoding":
        (text / "Flickr8k.token.txt").write_bytes("a.jpg#0\tun caf\xe9\n".encode("latin-1"))
    elif what == "form":
        (text / "Flickr8k.token.txt").write_text("a.jpg,a dog\n")
    elif what == "empty":
        (text / "Flickr_8k.trainImages.txt").write_text("\n")
    elif what == "two splits":
        train = (text / "Flickr_8k.trainImages.txt").read_text()
        (text / "Flickr_8k.testImages.txt").write_text(train)
    elif what == "foreign list":
        for path in text.glob("Flickr_8k.*"):
            path.write_text(f"{path.name}_stranger.jpg\n")
    else:
        (text / what).unlink()


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("encoding", "Flickr8k.token.txt is not UTF-8"),
        ("form", r"holds no line of the form NAME.jpg#NUMBER<tab>CAPTION"),
        ("empty", "has no list of training images"),
        ("two splits", "lists image .* under both train and test"),
        ("foreign list", "none of the 9 images in .* is in the official lists: the images are 1000268201_"),
        ("Flickr_8k.devImages.txt", "holds no Flickr_8k.devImages.txt"),
        ("Flickr8k.token.txt", "holds no Flickr8k.token.txt"),
    ],
)
def test_faults_are_one_sentence(tmp_path: Path, what: str, message: str) -> None:
    write_flickr8k(tmp_path)
    damage(tmp_path, what)
    with pytest.raises(UserError, match=message):
        list(Flickr8k(tmp_path).records())


def test_a_folder_without_photos(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no photos .*Flicker8k_Dataset.*download data=flickr8k"):
        Flickr8k(tmp_path)


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_the_real_flickr8k() -> None:
    reader = Flickr8k(SHARED)
    splits = [record.split for record in reader.records() if len(record.captions) == 5]
    assert [splits.count(split) for split in ("train", "val", "test")] == [6000, 1000, 1000]
    assert reader.dropped_images == {("in no split", "-"): 91}
    assert reader.dropped_regions["caption of an image that is not there", "-"] == 5
