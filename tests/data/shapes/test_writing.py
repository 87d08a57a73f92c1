"""The generated folder: Visual Genome's layout, same files every time, made once, never over somebody's data."""

import hashlib
import json
from pathlib import Path

import pytest
from PIL import Image

from densecap.data.shapes import ensure, scene_of, true_phrases
from densecap.data.shapes.reader import ShapesReader
from densecap.errors import UserError

COUNTS = {"train": 6, "val": 2, "test": 2}


def read(path: Path) -> object:
    return json.loads(path.read_text(encoding="utf-8"))


def digests(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ensure(tmp_path_factory.mktemp("generated") / "shapes", COUNTS)


def test_layout_is_visual_genomes(root: Path) -> None:
    images, regions, splits = (read(root / f"{name}.json") for name in ("image_data", "region_descriptions", "splits"))
    assert {split: len(ids) for split, ids in splits.items()} == COUNTS
    ids = [image_id for split in splits.values() for image_id in split]
    assert [row["image_id"] for row in images] == [row["id"] for row in regions] == ids
    for row in images:
        with Image.open(root / "VG_100K" / f"{row['image_id']}.jpg") as picture:
            assert (picture.format, picture.size) == ("JPEG", (row["width"], row["height"]))
    region_ids = [region["region_id"] for row in regions for region in row["regions"]]
    assert len(set(region_ids)) == len(region_ids)
    for row in regions:
        scene = scene_of(row["id"])
        assert len(row["regions"]) == 2 * len(scene.shapes)
        for number, region in enumerate(row["regions"]):
            x1, y1, x2, y2 = scene.shapes[number // 2].box
            assert (region["x"], region["y"], region["width"], region["height"]) == (x1, y1, x2 - x1, y2 - y1)
            assert region["phrase"] in true_phrases(scene, number // 2)


def test_sentences_are_in_a_caption_file_of_their_own(root: Path) -> None:
    captions = read(root / "captions.json")
    ids = [image["id"] for image in captions["images"]]
    per_image = [sum(row["image_id"] == image_id for row in captions["annotations"]) for image_id in ids]
    assert len(ids) == sum(COUNTS.values()) and set(per_image) <= {3, 4, 5}
    phrases = {region["phrase"] for row in read(root / "region_descriptions.json") for region in row["regions"]}
    assert not any(row["caption"] in phrases for row in captions["annotations"] if "background" in row["caption"])


def test_the_same_files_every_time_and_only_once(root: Path, tmp_path: Path) -> None:
    again = ensure(tmp_path / "again", COUNTS)
    assert digests(again) == digests(root)
    before = {path: path.stat().st_mtime_ns for path in again.rglob("*")}
    ensure(again, COUNTS)
    assert {path: path.stat().st_mtime_ns for path in again.rglob("*")} == before
    assert [path.name for path in tmp_path.iterdir()] == ["again"]


def test_another_recipe_replaces_the_scenes_but_never_other_data(tmp_path: Path) -> None:
    root = ensure(tmp_path / "shapes", {"train": 1, "val": 1, "test": 1})
    assert len(read(ensure(root, {"train": 2, "val": 1, "test": 1}) / "splits.json")["train"]) == 2
    assert len(list((root / "VG_100K").iterdir())) == 4
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "holiday.jpg").write_bytes(b"precious")
    with pytest.raises(UserError, match="photos holds something else than generated scenes"):
        ensure(photos)
    assert (photos / "holiday.jpg").read_bytes() == b"precious"


def test_a_broken_attempt_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(scene: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("densecap.data.shapes.writing.paint", fail)
    with pytest.raises(KeyboardInterrupt):
        ensure(tmp_path / "shapes", COUNTS)
    assert list(tmp_path.iterdir()) == []


def test_the_reader_generates_and_reads(tmp_path: Path) -> None:
    reader = ShapesReader(tmp_path / "new" / "shapes", counts=COUNTS)
    records = list(reader.records())
    assert [record.split for record in records] == ["train"] * 6 + ["val"] * 2 + ["test"] * 2
    scene = scene_of(int(records[0].image_id))
    assert [tuple(box) for box in records[0].boxes[::2]] == [shape.box for shape in scene.shapes]
    assert all(record.path.is_file() for record in records)
    assert reader.problems == []
