"""Tables of anyone's own photos."""

import math
from pathlib import Path

import pytest

from densecap.data.csv_table import CsvTable
from densecap.errors import UserError


def table(folder: Path, text: str, name: str = "captions.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_regions_and_whole_images(tmp_path: Path) -> None:
    table(
        tmp_path,
        "image,caption,x,y,width,height,split\n"
        "a (1).jpg,a cat,10,20,30,40.5,train\n"
        'sub/é.png,"a dog, brown",,,,,val\n'
        "\n"
        "a (1).jpg,two animals,,,,,train\n",
    )
    first, second = CsvTable(tmp_path).records()
    assert (first.image_id, first.split, first.captions) == ("a (1).jpg", "train", ["a cat", "two animals"])
    assert first.path == tmp_path / "a (1).jpg"
    assert first.boxes.tolist() == [[10, 20, 40, 60.5], [0, 0, math.inf, math.inf]]
    assert (second.split, second.captions, second.path) == ("val", ["a dog, brown"], tmp_path / "sub/é.png")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.tsv", "Path\tText\na.jpg\ta cat\n"),
        ("t.csv", "file;phrase\na.jpg;a cat\n"),
        ("t.csv", "\ufeffcaption,notes,PATH\r\na cat,x,a.jpg\r\n"),
        ("t.txt", "image\tcaption\na.jpg\ta cat"),
    ],
)
def test_separators_column_names_and_byte_order_marks(tmp_path: Path, name: str, text: str) -> None:
    table(tmp_path, text, name)
    (record,) = CsvTable(tmp_path, name).records()
    assert (record.image_id, record.captions, record.split) == ("a.jpg", ["a cat"], "train")


def test_a_table_elsewhere_has_paths_relative_to_itself(tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    path = table(tmp_path / "tables", "image,caption\na.jpg,a cat\n/photos/b.jpg,a dog\n")
    records = list(CsvTable(tmp_path, str(path)).records())
    assert [record.path for record in records] == [tmp_path / "tables" / "a.jpg", Path("/photos/b.jpg")]


def test_without_a_split_column_the_split_is_drawn_by_image(tmp_path: Path) -> None:
    table(tmp_path, "image,caption\n" + "".join(f"{n % 20}.jpg,words\n" for n in range(60)))
    splits = [record.split for record in CsvTable(tmp_path, split_seed=1).records()]
    assert [splits.count(split) for split in ("train", "val", "test")] == [16, 2, 2]
    assert splits == [record.split for record in CsvTable(tmp_path, split_seed=1).records()]
    assert splits != [record.split for record in CsvTable(tmp_path, split_seed=2).records()]


def test_a_split_file_wins_over_the_column(tmp_path: Path) -> None:
    table(tmp_path, "image,caption,split\na.jpg,a cat,train\nb.jpg,a dog,train\nc.jpg,a cow,test\n")
    splits = table(tmp_path, '{"train": ["a.jpg"], "val": ["b.jpg"]}', "mine.json")
    reader = CsvTable(tmp_path, splits=splits)
    assert [(record.image_id, record.split) for record in reader.records()] == [("a.jpg", "train"), ("b.jpg", "val")]
    assert reader.dropped_images == {("in no split", "-"): 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: no column image or path or file among nothing"),
        ("image,words\na.jpg,x\n", "line 1: no column caption or phrase or text among image, words"),
        ("image,caption,x,y\na.jpg,b,1,2\n", "line 1: a box needs x, y, width and height, missing: width, height"),
        ("image,caption\n", "has no rows"),
        ("image,caption\na.jpg,b\nc.jpg\n", "line 3: fewer values than columns"),
        ("image,caption\n,b\n", "line 2: the image column is empty"),
        ("image,caption,x,y,w,h\na.jpg,b,1,2,3,\n", "line 2: the box 1, 2, 3,  is not four numbers"),
        ("image,caption,x,y,w,h\na.jpg,b,1,2,nan,4\n", "not four finite numbers"),
        ("image,caption,split\na.jpg,b,training\n", "line 2: the split is train, val or test, got 'training'"),
        ("image,caption,split\na.jpg,b,train\na.jpg,c,test\n", "line 3: a.jpg is in train above and in test here"),
        ('image,caption\na.jpg,"no end\n', "line 2: unexpected end of data"),
    ],
)
def test_faults_are_named_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    table(tmp_path, text)
    with pytest.raises(UserError, match="captions.csv.*" + message):
        list(CsvTable(tmp_path).records())


def test_other_encodings_are_refused_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "captions.csv").write_bytes("image,caption\na.jpg,café\n".encode("latin-1"))
    with pytest.raises(UserError, match="save it as CSV UTF-8"):
        list(CsvTable(tmp_path).records())


def test_a_missing_table_or_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="captions.csv does not exist: name your table with data.table=FILE"):
        CsvTable(tmp_path)
    with pytest.raises(UserError, match="is not a folder"):
        CsvTable(tmp_path / "absent")
