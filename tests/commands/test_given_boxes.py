"""Boxes in every format people have them in, and which image each belongs to."""

import json
from pathlib import Path

import pytest
import torch

from densecap.commands.given_boxes import open_boxes
from densecap.errors import UserError
from densecap.prediction.sources import Frame, Unread
from densecap.prediction.writers import open_writers
from densecap.structures import Prediction, RegionPrediction

BOX, OTHER = [10.0, 20.0, 40.0, 50.0], [0.0, 0.0, 100.0, 60.0]


def item(name: str = "photos/dog.jpg", image_id: str = "dog", frame: int | None = None) -> Unread:
    where = None if frame is None else Frame(name, frame, 0.0)
    return Unread(image_id, name, lambda: torch.zeros(3, 60, 100, dtype=torch.uint8), where)


def of(path: Path, own: Unread | None = None) -> list[list[float]]:
    return open_boxes(str(path)).of(own or item(), 100, 60).tolist()


def written(path: Path, value) -> Path:
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


FORMS = {
    "names": {"dog.jpg": [BOX, OTHER], "cat.jpg": []},
    "objects": [{"file": "dog.jpg", "boxes": [BOX, OTHER]}, {"image_id": "cat", "boxes": []}],
    "one object": {"file": "photos/dog.jpg", "boxes": [BOX, OTHER]},
    "lines": '{"file": "dog.jpg", "boxes": [[10, 20, 40, 50], [0, 0, 100, 60]]}\n{"image_id": 7, "boxes": []}\n',
    "table": "file,x1,y1,x2,y2,more\ndog.jpg,10,20,40,50,x\ncat.jpg,1,1,2,2,\ndog.jpg,0,0,100,60,\n",
    "halved": [{"image_id": "dog", "width": 50, "height": 30, "boxes": [[5, 10, 20, 25], [0, 0, 50, 30]]}],
    "regions": {"images": [{"file": "dog.jpg", "regions": [{"box": BOX}, {"box": OTHER, "caption": "x"}]}]},
    "detections": [
        {"image_id": "dog", "bbox": [10, 20, 30, 30]},
        {"image_id": "dog", "bbox": [0, 0, 100, 60], "score": 1},
    ],
    "annotations": {
        "images": [{"id": 7, "file_name": "dog.jpg"}, {"id": 8, "file_name": "cat.jpg"}],
        "annotations": [
            {"image_id": 7, "bbox": [10, 20, 30, 30]},
            {"image_id": 8, "bbox": [1, 1, 1, 1]},
            {"image_id": 7, "bbox": [0, 0, 100, 60]},
        ],
    },
}


@pytest.mark.parametrize("form", FORMS)
def test_formats(tmp_path: Path, form: str) -> None:
    assert of(written(tmp_path / "boxes", FORMS[form])) == [BOX, OTHER]


@pytest.mark.parametrize("name", ["json", "jsonl", "csv", "densecap"])
def test_what_predict_writes(tmp_path: Path, name: str) -> None:
    regions = [RegionPrediction(tuple(box), 0.5, "a dog", -1.0) for box in (BOX, OTHER)]
    detection = dict.fromkeys(("proposal_nms_iou", "final_nms_iou", "max_proposals"), 1)
    (writer,) = open_writers(
        [name], tmp_path, {"checkpoint": "", "config": {"image_size": 720, "detection": detection}}
    )
    writer.add(Prediction("dog", "elsewhere/dog.jpg", 100, 60, regions))
    writer.add(Prediction("cat", "elsewhere/cat.jpg", 50, 50, regions[:1]))
    writer.close({"complete": True})
    (path,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    torch.testing.assert_close(torch.tensor(of(path)), torch.tensor([BOX, OTHER]), atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("named", "own"),
    [
        ({"file": "photos/dog.jpg"}, item()),
        ({"file": "dog.jpg"}, item("other/dog.jpg", "x")),
        ({"image_id": "dog"}, item()),
        ({"file": "dog.png"}, item("photos/dog.jpg", "x")),  # converted since
        ({"image_id": 139}, item("val/000000000139.jpg", "000000000139")),
        ({"file": "photos\\dog.jpg"}, item()),
        ({"file": "clip.mp4", "frame": 3}, item("clip.mp4", "clip-3", 3)),
    ],
)
def test_an_image_is_known_by_its_names(tmp_path: Path, named: dict, own: Unread) -> None:
    path = written(tmp_path / "b.json", [{**named, "boxes": [BOX]}, {"file": "cat.jpg", "boxes": [OTHER]}])
    assert of(path, own) == [BOX]


def test_what_fits_two_entries_fits_none(tmp_path: Path) -> None:
    path = written(tmp_path / "b.json", {"a/dog.jpg": [BOX], "b/dog.jpg": [OTHER]})
    assert of(path, item("b/dog.jpg")) == [OTHER] and of(path, item("c/dog.jpg")) == []
    boxes = open_boxes(str(path))
    assert boxes.of(item("c/dog.jpg"), 9, 9).shape == (0, 4) and boxes.without == {"dog"}


def test_files_are_looked_for_where_they_are_named_and_beside(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    Path("a.jpg").write_bytes(b"")
    path = written(Path("data/b.json"), {"a.jpg": [BOX], "b.jpg": [], "http://x/c.jpg": []})
    assert open_boxes(str(path)).files() == ["a.jpg", "data/b.jpg", "http://x/c.jpg"]
    with pytest.raises(UserError, match=r"names no files.*source=PATH"):
        open_boxes(str(written(Path("c.json"), [{"image_id": 1, "bbox": BOX}]))).files()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ('{"dog.jpg": [[1, 2, 3]]}', r"'dog.jpg'\[0\] should be a box of four finite numbers"),
        ('{"dog.jpg": 3}', "'dog.jpg' should be a list of boxes"),
        ('[{"boxes": [[1, 2, 3, 4]]}]', r"entry \[0\] has no field 'file'"),
        ('[{"file": "a.jpg"}]', r"entry \[0\] has no field 'boxes'"),
        ("file,x1,y1,x2\na.jpg,1,2,3\n", "line 2 has no y2"),
        ("x1,y1,x2,y2\n1,2,3,4\n", "line 2 has no file"),
        ("file,x1,y1,x2,y2\na.jpg,1,2,3,wide\n", "line 2 should be a box of four finite numbers"),
        ('{"dog.jpg": [', "is cut off"),
        ("", "holds no boxes"),
        ('{"images": [], "annotations": [{"image_id": 3, "bbox": [1, 2, 3, 4]}]}', "is about image 3, which is not"),
    ],
)
def test_mistakes_name_the_place(tmp_path: Path, value: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        open_boxes(str(written(tmp_path / "b.json", value)))


@pytest.mark.parametrize("box", [[5, 5, 5, 9], [9, 5, 3, 9], [100, 0, 120, 10], [-9, 0, 0, 10]])
def test_a_box_without_a_pixel_is_refused(tmp_path: Path, box: list[float]) -> None:
    boxes = open_boxes([BOX, box])
    with pytest.raises(UserError, match="has 100 x 60 pixels, of which box 1 of boxes covers none"):
        boxes.of(item(), 100, 60)
    (own,) = boxes.check([item()])
    with pytest.raises(UserError, match="covers none"):
        own.read()


def test_other_boxes_have_another_digest() -> None:
    assert open_boxes([BOX]).digest == open_boxes([list(BOX)]).digest != open_boxes([OTHER]).digest
