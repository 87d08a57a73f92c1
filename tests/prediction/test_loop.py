"""Many files through a stand-in model: order, unreadable files, interruption."""

import json
import os
import signal
from pathlib import Path

import pytest
from PIL import Image
from torch import Tensor

from densecap.errors import UserError
from densecap.prediction.loop import Outcome, predict_files, unbroken
from densecap.prediction.pictures import PictureWriter
from densecap.prediction.reading import read_pictures
from densecap.prediction.writers import open_writers
from densecap.structures import RegionPrediction


def describe(images: list[Tensor]) -> list[list[RegionPrediction]]:
    """One region, the whole image, whose caption is the red of its first pixel."""
    return [
        [RegionPrediction((0.0, 0.0, image.shape[2], image.shape[1]), 0.5, str(int(image[0, 0, 0])), -1.0)]
        for image in images
    ]


def make_photos(folder: Path, count: int) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{index}.png" for index in range(count)]
    for index, path in enumerate(paths):
        Image.new("RGB", (20 + index, 10), (10 * index, 0, 0)).save(path)
    return paths


@pytest.mark.parametrize("batch_size", [1, 2, 3, 50])
def test_results_keep_the_order_and_errors_do_not_stop_the_rest(tmp_path: Path, batch_size: int) -> None:
    paths = make_photos(tmp_path, 7)
    paths[2].write_bytes(b"nonsense")
    paths[5].unlink()
    outcome, seen = Outcome(), []
    predict_files(
        describe,
        paths,
        open_writers(["json"], tmp_path / "out", {}),
        None,
        batch_size,
        outcome,
        lambda p: seen.append(p.path),
    )
    data = json.loads((tmp_path / "out" / "predictions.json").read_text())
    kept = [index for index in range(7) if index not in (2, 5)]
    assert seen == paths
    assert [image["image_id"] for image in data["images"]] == [str(index) for index in kept]
    assert [image["width"] for image in data["images"]] == [20 + index for index in kept]
    assert [image["regions"][0]["caption"] for image in data["images"]] == [str(10 * index) for index in kept]
    assert [Path(error["file"]).name for error in data["errors"]] == ["2.png", "5.png"]
    assert data["complete"] is True
    assert data["timing"]["images"] == outcome.images == outcome.regions == 5
    assert set(data["timing"]["stages"]) == {"decode", "caption", "draw", "write"}


def test_pictures_of_one_name_do_not_overwrite_each_other(tmp_path: Path) -> None:
    paths = make_photos(tmp_path / "a", 1) + make_photos(tmp_path / "b", 1)
    pictures = PictureWriter(tmp_path / "out")
    predict_files(describe, paths, [], pictures, 1, outcome := Outcome())
    assert len(list((tmp_path / "out").iterdir())) == 2
    assert outcome.stages["draw"] > 0


def test_interruption_keeps_what_is_done(tmp_path: Path) -> None:
    paths, calls = make_photos(tmp_path, 9), []

    def impatient(images: list[Tensor]) -> list[list[RegionPrediction]]:
        calls.append(len(images))
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return describe(images)

    outcome = Outcome()
    predict_files(impatient, paths, open_writers(["json", "jsonl"], tmp_path / "out", {}), None, 2, outcome)
    data = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert outcome.stopped == "interrupt" and data["complete"] is False
    assert [image["image_id"] for image in data["images"]] == ["0", "1", "2", "3"]
    assert len((tmp_path / "out" / "predictions.jsonl").read_text().splitlines()) == 4


def test_an_interrupt_waits_for_the_end_of_a_write() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), unbroken():
        os.kill(os.getpid(), signal.SIGINT)
        done.append("written")
    assert done == ["written"]


def test_a_failure_before_the_first_result_leaves_earlier_files_alone(tmp_path: Path) -> None:
    (tmp_path / "predictions.json").write_text("earlier")

    def broken(images: list[Tensor]) -> list[list[RegionPrediction]]:
        return [[RegionPrediction((0.0, 0.0, 1.0, float("nan")), 0.5, "", -1.0)] for _ in images]

    with pytest.raises(UserError, match="not finite"):
        predict_files(broken, make_photos(tmp_path / "p", 2), open_writers(["json"], tmp_path, {}), None, 1, Outcome())
    assert (tmp_path / "predictions.json").read_text() == "earlier"
    assert {path.name for path in tmp_path.iterdir()} == {"predictions.json", "p"}


def test_reading_gives_full_batches_in_order(tmp_path: Path) -> None:
    paths = make_photos(tmp_path, 8)
    batches = list(read_pictures(paths, [path.stem for path in paths], batch_size=3))
    assert [[picture.image_id for picture in batch] for batch in batches] == [
        ["0", "1", "2"],
        ["3", "4", "5"],
        ["6", "7"],
    ]
    assert list(read_pictures([], [], 4)) == []
