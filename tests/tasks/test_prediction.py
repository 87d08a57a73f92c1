"""Which rank describes which image."""

import threading
from pathlib import Path

import pytest
import torch

from densecap.prediction.journal import Entry, Journal
from densecap.prediction.sources import Unread
from densecap.structures import Prediction
from densecap.tasks.prediction import Share


class Listed(list):
    @property
    def total(self):
        return len(self)


def items(folder: Path, count: int) -> Listed:
    paths = [folder / f"{number}.jpg" for number in range(count)]
    for path in paths:
        path.write_bytes(b"photo")
    return Listed(Unread(path.stem, str(path), lambda: torch.zeros(3, 1, 1, dtype=torch.uint8)) for path in paths)


def shares(source: Listed, folder: Path, world: int, stop: threading.Event | None = None) -> list[list[str]]:
    """The ids of each rank, all of which read the journal before any goes on."""
    journals = [Journal(folder, {}, rank) for rank in range(world)]
    return [
        [item.image_id for item in Share(source, journal, rank, world, stop or threading.Event())]
        for rank, journal in enumerate(journals)
    ]


@pytest.mark.parametrize(("count", "world"), [(7, 2), (7, 3), (2, 4), (0, 2), (6, 1)])
def test_every_image_is_in_one_share_and_shares_are_even(tmp_path: Path, count: int, world: int) -> None:
    found = shares(items(tmp_path, count), tmp_path / "out", world)
    assert sorted(sum(found, [])) == sorted(str(number) for number in range(count))
    assert max(map(len, found)) - min(map(len, found)) <= 1


def test_what_is_done_is_left_out_and_the_rest_is_evenly_shared(tmp_path: Path) -> None:
    source = items(tmp_path, 9)
    journal = Journal(tmp_path / "out", {}, rank=1)
    for number in (0, 2, 4, 6):
        journal.add(source[number], Entry(Prediction(str(number), "x", 1, 1)))
    journal.close()
    assert shares(source, tmp_path / "out", 2) == [["1", "5", "8"], ["3", "7"]]


def test_standard_input_is_left_to_the_first_and_a_stop_ends_a_share(tmp_path: Path) -> None:
    source = items(tmp_path, 3)
    source.insert(1, Unread("stdin", "-", torch.zeros))
    assert shares(source, tmp_path / "out", 2) == [["0", "2"], ["1"]]
    stop = threading.Event()
    stop.set()
    assert shares(source, tmp_path / "out", 2, stop) == [[], []]
