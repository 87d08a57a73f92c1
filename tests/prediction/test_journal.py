"""What a journal remembers, when it does not believe it, and how it is shared."""

from pathlib import Path

import pytest
import torch

from densecap.errors import UserError
from densecap.prediction.journal import Entry, Journal, journals_in, remove_journals, stamp_of
from densecap.prediction.sources import Frame, Unread
from densecap.structures import Prediction, RegionPrediction

SETTINGS = {"checkpoint": "ab" * 32, "detection": {"max_proposals": 50, "score_threshold": 0.5}, "boxes": None}


def item(path: Path, frame: int | None = None) -> Unread:
    where = None if frame is None else Frame(str(path), frame, frame / 25)
    return Unread(path.stem, str(path), lambda: torch.zeros(3, 1, 1, dtype=torch.uint8), where)


def entry(name: str, caption: str = 'a "red", "image": car') -> Entry:
    return Entry(
        Prediction(name, f"{name}.jpg", 4, 3, [RegionPrediction((0.0, 0.0, 1.0, 1.0), 0.5, caption, -1.0)]),
        {"images": "x"},
    )


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / 'odd", "image": name.jpg'
    path.write_bytes(b"photo")
    return path


def test_entries_come_back_and_later_ones_count(tmp_path: Path, photo: Path) -> None:
    journal = Journal(tmp_path / "out", SETTINGS)
    journal.add(item(photo), entry("a"))
    journal.add(item(photo), entry("b"))
    assert journal.find(item(photo)) is None, "what this run did is not asked for again"
    journal.close()
    again = Journal(tmp_path / "out", SETTINGS)
    assert len(again) == 1 and again.find(item(photo)) == entry("b") and again.find(item(tmp_path / "c.jpg")) is None


def test_frames_are_told_apart_and_a_video_is_finished_once(tmp_path: Path, photo: Path) -> None:
    journal = Journal(tmp_path, SETTINGS)
    journal.add(item(photo, 0), entry("f0"))
    journal.add(item(photo, 7), entry("f7"))
    journal.add_finished(str(photo), "d1")
    journal.close()
    again = Journal(tmp_path, SETTINGS)
    found = [again.find(item(photo, frame)) for frame in (0, 1, 7)]
    assert [own and own.prediction.image_id for own in found] == ["f0", None, "f7"]
    assert (again.finished(str(photo)), again.finished("other")) == ("d1", None)


def test_a_file_that_changed_is_not_known(tmp_path: Path, photo: Path) -> None:
    journal = Journal(tmp_path, SETTINGS)
    journal.add(item(photo), entry("a"))
    journal.close()
    photo.write_bytes(b"another photo")
    assert not Journal(tmp_path, SETTINGS).knows(item(photo))


def test_what_cannot_be_the_same_another_time_has_no_stamp(photo: Path) -> None:
    assert stamp_of(item(photo)) == [5, photo.stat().st_mtime_ns]
    assert stamp_of(Unread("a", "http://example.org/a.jpg", torch.zeros)) == []
    stream = Unread("a", "http://example.org/live", torch.zeros, Frame("http://example.org/live", 3, 0.1))
    assert stamp_of(stream) is None and stamp_of(Unread("stdin", "-", torch.zeros)) is None


@pytest.mark.parametrize("cut", [1, 30])
def test_half_a_line_is_forgotten(tmp_path: Path, photo: Path, cut: int) -> None:
    journal = Journal(tmp_path, SETTINGS)
    journal.add(item(photo), entry("a"))
    journal.add(item(photo, 1), entry("b"))
    journal.close()
    path = tmp_path / "journal.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    again = Journal(tmp_path, SETTINGS)
    assert again.knows(item(photo)) and not again.knows(item(photo, 1))
    again.add(item(photo, 2), entry("c"))
    again.close()
    assert Journal(tmp_path, SETTINGS).find(item(photo, 2)) == entry("c")
    path.write_bytes(b'{"journal": 1, "sett')
    assert len(Journal(tmp_path, SETTINGS)) == 0, "half a beginning is none"


def test_each_rank_writes_its_own_and_reads_all(tmp_path: Path, photo: Path) -> None:
    ranks = [Journal(tmp_path, SETTINGS, rank) for rank in range(3)]
    for number, journal in enumerate(ranks):
        journal.add(item(photo, number), entry(str(number)))
        journal.close()
    assert len(journals_in(tmp_path)) == 3
    alone = Journal(tmp_path, SETTINGS)
    assert [alone.knows(item(photo, number)) for number in range(4)] == [True, True, True, False]
    remove_journals(tmp_path)
    assert len(Journal(tmp_path, SETTINGS)) == 0


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    Journal(tmp_path, SETTINGS).close()
    Journal(tmp_path, {**SETTINGS, "detection": {"max_proposals": 50, "score_threshold": 0.5}}).close()
    changed = {"checkpoint": "cd" * 32, "detection": {"max_proposals": 50, "score_threshold": 0.25}, "boxes": "x"}
    words = (
        r"holds results made in another way \(checkpoint was abababababab\.\.\., is cdcdcdcdcdcd\.\.\., "
        r"detection\.score_threshold was 0\.5, is 0\.25, boxes was null, is x\).*output\.resume=false"
    )
    with pytest.raises(UserError, match=words):
        Journal(tmp_path, changed)
    (tmp_path / "journal.jsonl").write_text('{"journal": 99}\n')
    with pytest.raises(UserError, match="another version"):
        Journal(tmp_path, SETTINGS)
