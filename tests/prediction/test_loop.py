"""Many files through a stand-in model: order, unreadable files, interruption, going on with an earlier run."""

import json
import os
import signal
import threading
from pathlib import Path

import pytest
from PIL import Image
from torch import Tensor

from densecap.errors import UserError
from densecap.prediction.crops import CropPictures
from densecap.prediction.journal import Journal
from densecap.prediction.loop import Outcome, Outputs, predict_files, unbroken, write_earlier
from densecap.prediction.pictures import DrawingStyle, DrawnPictures, PictureOutput
from densecap.prediction.reading import read_pictures
from densecap.prediction.sources import open_source
from densecap.prediction.writers import open_writers
from densecap.structures import RegionPrediction

MODEL = {
    "checkpoint": "m.ckpt",
    "config": {"image_size": 16, "detection": dict.fromkeys(("proposal_nms_iou", "final_nms_iou", "max_proposals"), 1)},
}
TEXTS = ("json", "jsonl", "csv", "coco", "densecap", "crops")


class Model:
    """One region, the whole image, whose caption is the red of its first pixel; remembers what it was shown."""

    def __init__(self, interrupt_at: int | None = None) -> None:
        self.batches: list[list[str]] = []
        self.interrupt_at = interrupt_at

    @property
    def seen(self) -> list[str]:
        return [name for batch in self.batches for name in batch]

    def __call__(self, items, images: list[Tensor]) -> list[list[RegionPrediction]]:
        self.batches.append([item.image_id for item in items])
        if len(self.batches) == self.interrupt_at:
            os.kill(os.getpid(), signal.SIGINT)
        return [
            [RegionPrediction((0.0, 0.0, image.shape[2], image.shape[1]), 0.5, str(int(image[0, 0, 0])), -1.0)]
            for image in images
        ]


def make_photos(folder: Path, count: int) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{index}.png" for index in range(count)]
    for index, path in enumerate(paths):
        Image.new("RGB", (20 + index % 50, 10), (10 * index % 256, 0, 0)).save(path)
    return paths


def go(
    folder: Path,
    paths: list[Path],
    model,
    batch_size: int = 2,
    texts=("json",),
    pictures=(),
    settings=None,
    report=lambda step: None,
):
    """Predict into a folder, going on with what is there."""
    outcome = Outcome()
    made: list[PictureOutput] = []
    if "images" in pictures:
        made.append(DrawnPictures(folder / "images", DrawingStyle(**settings or {})))
    if "crops" in pictures:
        made.append(CropPictures(folder / "crops"))
    outputs = Outputs(open_writers(texts, folder, MODEL), made, None, Journal(folder, {"model": 1}))
    predict_files(model, open_source(paths), outputs, batch_size, outcome, report)
    return outcome


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a run, without what differs by its nature: journal and times."""
    found = {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    found = {name: data for name, data in found.items() if not name.startswith("journal")}
    if "predictions.json" in found:
        data = json.loads(found["predictions.json"])
        data.pop("timing")
        found["predictions.json"] = json.dumps(data).encode()
    return found


@pytest.mark.parametrize("batch_size", [1, 2, 3, 50])
def test_results_keep_the_order_and_errors_do_not_stop_the_rest(tmp_path: Path, batch_size: int) -> None:
    paths = make_photos(tmp_path, 7)
    paths[2].write_bytes(b"nonsense")
    source = Listed(open_source(paths))
    paths[5].unlink()  # after it was listed
    outcome, writers, model, seen = Outcome(), open_writers(["json"], tmp_path / "out", {}), Model(), []
    predict_files(model, source, Outputs(writers), batch_size, outcome, lambda step: seen.append(step.item.name))
    data = json.loads((tmp_path / "out" / "predictions.json").read_text())
    kept = [index for index in range(7) if index not in (2, 5)]
    assert seen == [str(path) for path in paths]
    assert [image["image_id"] for image in data["images"]] == [str(index) for index in kept]
    assert [image["width"] for image in data["images"]] == [20 + index for index in kept]
    assert [image["regions"][0]["caption"] for image in data["images"]] == [str(10 * index) for index in kept]
    assert [Path(error["file"]).name for error in data["errors"]] == ["2.png", "5.png"]
    assert data["complete"] is True
    assert data["timing"]["images"] == outcome.images == outcome.regions == 5
    assert set(data["timing"]["stages"]) == {"decode", "caption", "draw", "write"}
    assert all(len(batch) == batch_size for batch in model.batches[:-1]), "batches are full although a file is broken"


class Listed(list):
    """A list as a source."""

    @property
    def total(self):
        return len(self)


def test_pictures_of_one_name_do_not_overwrite_each_other(tmp_path: Path) -> None:
    paths = make_photos(tmp_path / "a", 1) + make_photos(tmp_path / "b", 1)
    pictures = DrawnPictures(tmp_path / "out", DrawingStyle())
    outcome = Outcome()
    predict_files(Model(), open_source(paths), Outputs(pictures=[pictures]), 1, outcome)
    assert len(list((tmp_path / "out").iterdir())) == 2
    assert outcome.stages["draw"] > 0


def test_interruption_keeps_what_is_done(tmp_path: Path) -> None:
    paths = make_photos(tmp_path, 9)
    outcome = go(tmp_path / "out", paths, Model(interrupt_at=3), texts=("json", "jsonl"))
    data = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert outcome.stopped == "interrupt" and data["complete"] is False
    assert [image["image_id"] for image in data["images"]] == ["0", "1", "2", "3"]
    assert len((tmp_path / "out" / "predictions.jsonl").read_text().splitlines()) == 4


@pytest.mark.parametrize("interrupt_at", [1, 2, 4])
def test_an_interrupted_run_goes_on_to_the_same_files(tmp_path: Path, interrupt_at: int) -> None:
    paths = make_photos(tmp_path / "photos", 9)
    paths[3].write_bytes(b"nonsense")
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    go(whole, paths, Model(), texts=TEXTS, pictures=("images", "crops"))
    first, second = Model(interrupt_at), Model()
    assert go(parts, paths, first, texts=TEXTS, pictures=("images", "crops")).stopped == "interrupt"
    outcome = go(parts, paths, second, texts=TEXTS, pictures=("images", "crops"))
    assert contents(parts) == contents(whole)
    done = 2 * (interrupt_at - 1)
    assert (outcome.taken_over, outcome.images) == (done, 8 - done)
    assert first.seen[:done] + second.seen == [str(index) for index in range(9) if index != 3]


def test_what_is_done_is_kept_when_the_run_that_goes_on_is_interrupted_early(tmp_path: Path) -> None:
    paths = make_photos(tmp_path / "photos", 12)
    paths[0].write_bytes(b"nonsense")
    go(tmp_path / "out", paths, Model())
    before = json.loads((tmp_path / "out" / "predictions.json").read_text())
    make_photos(tmp_path / "photos", 1)
    outcome = go(tmp_path / "out", paths, Model(interrupt_at=1), batch_size=1)
    after = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert outcome.stopped == "interrupt" and after["complete"] is False
    assert after["images"] == before["images"] and len(after["images"]) == 11


def test_a_killed_run_is_gone_on_with_although_its_last_line_is_half(tmp_path: Path) -> None:
    paths = make_photos(tmp_path / "photos", 6)
    go(tmp_path / "whole", paths, Model())
    go(tmp_path / "out", paths[:4], Model())
    journal = tmp_path / "out" / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-25])  # of 0..3 the last is half
    (tmp_path / "out" / "predictions.json").unlink()
    model = Model()
    go(tmp_path / "out", paths, model)
    assert model.seen == ["3", "4", "5"]
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    assert go(tmp_path / "out", paths, Model()).taken_over == 6, "the line after the half one is whole"


def test_a_file_that_changed_is_described_anew_and_one_that_is_gone_is_left_out(tmp_path: Path) -> None:
    paths = make_photos(tmp_path / "photos", 4)
    go(tmp_path / "out", paths, Model(), pictures=("images", "crops"), texts=("json", "crops"))
    Image.new("RGB", (33, 44), (222, 0, 0)).save(paths[1])
    os.utime(paths[1], (1, 1))
    model = Model()
    go(tmp_path / "out", paths[:3], model, pictures=("images", "crops"), texts=("json", "crops"))
    data = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert model.seen == ["1"]
    assert [image["regions"][0]["caption"] for image in data["images"]] == ["0", "222", "20"]
    assert [path.name for path in (tmp_path / "out" / "crops" / "1").iterdir()] == ["000_222.jpg"]


def test_pictures_are_made_later_without_the_model(tmp_path: Path) -> None:
    paths = make_photos(tmp_path / "photos", 3)
    out = tmp_path / "out"
    go(out, paths, Model())
    model = Model()
    go(out, paths, model, texts=("json", "csv"), pictures=("images",), settings={"num_to_draw": 1})
    assert not model.batches and sorted(path.name for path in (out / "images").iterdir()) == ["0.jpg", "1.jpg", "2.jpg"]
    (out / "images" / "1.jpg").unlink()
    (out / "images" / "2.jpg").write_bytes(b"mine")
    go(out, paths, model, texts=("json",), pictures=("images",), settings={"num_to_draw": 1})
    assert (out / "images" / "1.jpg").exists() and (out / "images" / "2.jpg").read_bytes() == b"mine"
    go(out, paths, model, texts=("json",), pictures=("images",), settings={"num_to_draw": 1, "text_size": 30})
    assert (out / "images" / "2.jpg").read_bytes() != b"mine" and not model.batches


def test_a_thousand_files_of_which_ten_are_broken(tmp_path: Path) -> None:
    paths = make_photos(tmp_path / "photos", 1000)
    broken = [paths[index] for index in range(50, 1000, 100)]
    for path in broken:
        path.write_bytes(b"broken")
    told: list[str] = []
    first, second = Model(), Model()
    report = lambda step: told.append(step.item.name) if step.problem else None  # noqa: E731
    outcome = go(tmp_path / "out", paths, first, 16, report=report)
    before = contents(tmp_path / "out")
    assert told == [str(path) for path in broken] and outcome.images == 990
    Image.new("RGB", (20, 10)).save(broken[3])
    told.clear()
    outcome = go(tmp_path / "out", paths, second, 16, report=report)
    assert second.seen == ["350"], "only what is missing"
    assert told == [str(path) for path in broken if path != broken[3]], "and the rest is named again"
    assert (outcome.taken_over, outcome.images) == (990, 1)
    data = json.loads((tmp_path / "out" / "predictions.json").read_text())
    kept = [image for image in data["images"] if image["image_id"] != "350"]
    assert kept == json.loads(before["predictions.json"])["images"]
    assert [image["image_id"] for image in data["images"]] == sorted((i["image_id"] for i in data["images"]), key=int)


def test_no_more_pictures_are_in_memory_than_are_on_their_way(tmp_path: Path) -> None:
    paths = make_photos(tmp_path / "photos", 120)
    lock, counts = threading.Lock(), {"now": 0, "most": 0}

    def count(step) -> int:
        with lock:
            counts["now"] += step
            counts["most"] = max(counts["most"], counts["now"])
        return counts["now"]

    class Counted(Listed):
        def __iter__(self):
            for item in super().__iter__():
                count(1)
                yield item

    go_on = lambda step: count(-1)  # noqa: E731
    outputs = Outputs(pictures=[DrawnPictures(tmp_path / "images", DrawingStyle())])
    predict_files(Model(), Counted(open_source(paths)), outputs, 4, Outcome(), go_on)
    assert counts["now"] == 0 and counts["most"] <= 50


def test_only_what_is_there_is_written_without_describing(tmp_path: Path) -> None:
    paths = make_photos(tmp_path / "photos", 5)
    go(tmp_path / "out", [paths[1], paths[4]], Model())
    outcome = Outcome(stopped="interrupt")
    outputs = Outputs(open_writers(["json"], tmp_path / "out", MODEL), journal=Journal(tmp_path / "out", {"model": 1}))
    write_earlier(open_source(paths), outputs, outcome)
    data = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert [image["image_id"] for image in data["images"]] == ["1", "4"] and data["complete"] is False


def test_an_interrupt_waits_for_the_end_of_a_write() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), unbroken():
        os.kill(os.getpid(), signal.SIGINT)
        done.append("written")
    assert done == ["written"]


def test_an_interrupt_that_somebody_handles_is_handed_to_him_after_a_write() -> None:
    done = []
    previous = signal.signal(signal.SIGINT, lambda number, frame: done.append("stopping"))
    try:
        with unbroken():
            os.kill(os.getpid(), signal.SIGINT)
            done.append("written")
    finally:
        signal.signal(signal.SIGINT, previous)
    assert done == ["written", "stopping"]


def test_a_failure_before_the_first_result_leaves_earlier_files_alone(tmp_path: Path) -> None:
    (tmp_path / "predictions.json").write_text("earlier")

    def broken(items, images: list[Tensor]) -> list[list[RegionPrediction]]:
        return [[RegionPrediction((0.0, 0.0, 1.0, float("nan")), 0.5, "", -1.0)] for _ in images]

    source = open_source(make_photos(tmp_path / "p", 2))
    with pytest.raises(UserError, match="not finite"):
        predict_files(broken, source, Outputs(open_writers(["json"], tmp_path, {})), 1, Outcome())
    assert (tmp_path / "predictions.json").read_text() == "earlier"
    assert {path.name for path in tmp_path.iterdir()} == {"predictions.json", "p"}


def test_a_disk_that_is_full_is_an_error_and_what_was_done_is_kept(tmp_path: Path, monkeypatch) -> None:
    paths = make_photos(tmp_path / "photos", 6)
    save = DrawnPictures.save

    def full(self, prediction, image):
        if prediction.image_id == "3":
            raise OSError(28, "No space left on device")
        save(self, prediction, image)

    monkeypatch.setattr(DrawnPictures, "save", full)
    with pytest.raises(OSError, match="No space left"):
        go(tmp_path / "out", paths, Model(), 1, pictures=("images",))
    monkeypatch.undo()
    model = Model()
    go(tmp_path / "out", paths, model, 1, pictures=("images",))
    assert model.seen == ["3", "4", "5"]


def test_reading_gives_full_batches_in_order(tmp_path: Path) -> None:
    source = open_source(make_photos(tmp_path, 8))
    batches = list(read_pictures(source, batch_size=3))
    assert [[picture.image_id for picture in batch] for batch in batches] == [
        ["0", "1", "2"],
        ["3", "4", "5"],
        ["6", "7"],
    ]
    assert list(read_pictures([], 4)) == []
