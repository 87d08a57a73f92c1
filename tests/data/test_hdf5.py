"""Region files: what is written is what is read, in every process, and never half a file."""

import multiprocessing
import os
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest

from densecap.data.hdf5 import RegionFile
from densecap.data.hdf5_writer import RegionFileContents, write_region_file
from densecap.errors import UserError

JPEGS = [b"first file", b"", b"the third"]


def contents(**changes) -> RegionFileContents:
    """Three images with 2, 0 and 1 regions."""
    values = {
        "name": "toy",
        "ids": ["7", "été", "9"],
        "files": ["a/7.jpg", "a/é (1).jpg", "9.jpg"],
        "splits": np.array([0, 2, 0]),
        "offsets": np.cumsum([0, *map(len, JPEGS)]),
        "sizes": np.array([[3, 4], [5, 6], [7, 8]]),
        "original_sizes": np.array([[30, 40], [50, 60], [70, 80]]),
        "first_region": np.array([0, 2, 2, 3]),
        "boxes": np.array([[0, 0, 1, 2], [0.5, 1, 9, 9], [1, 2, 3, 4]]),
        "tokens": np.array([[1, 2], [3, 0], [2, 2]]),
        "lengths": np.array([2, 1, 2]),
        "captions": ["A cat.", "naïve \U0001f431", "cat cat"],
        "words": ["a", "cat", "<UNK>"],
        "counts": np.array([1, 3, 1]),
        "provenance": {"options": {"min_token_count": 2}},
        "report": {"images": 3},
    }
    return RegionFileContents(**(values | changes))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "new folder" / "toy.h5"
    write_region_file(path, contents(), iter(JPEGS))
    return path


def test_round_trip(path: Path) -> None:
    file = RegionFile(path)
    assert len(file) == 3
    assert [file.image_bytes(i) for i in range(3)] == JPEGS
    boxes, tokens, lengths = file.regions(0)
    assert boxes.dtype == np.float32 and boxes.tolist() == [[0, 0, 1, 2], [0.5, 1, 9, 9]]
    assert tokens.tolist() == [[1, 2], [3, 0]] and lengths.tolist() == [2, 1]
    assert file.captions(0) == ["A cat.", "naïve \U0001f431"] and file.captions(1) == []
    assert file.regions(1)[0].shape == (0, 4) and file.regions(1)[1].shape == (0, 2)
    assert file.indices("train").tolist() == [0, 2] and file.indices("test").tolist() == [1]
    assert file.indices("val").tolist() == []
    assert file.ids == ["7", "été", "9"] and file.files[1] == "a/é (1).jpg"
    assert file.original_sizes[1].tolist() == [50, 60] and file.sizes[2].tolist() == [7, 8]
    assert file.vocabulary.words == ["a", "cat", "<UNK>"] and file.word_counts.tolist() == [1, 3, 1]
    assert file.max_tokens == 2 and file.region_counts.tolist() == [2, 0, 1]
    assert file.attrs["report"] == {"images": 3} and file.attrs["name"] == "toy"
    assert file.attrs["provenance"]["options"] == {"min_token_count": 2}


def test_chunks_of_the_images_may_be_cut_anywhere(tmp_path: Path) -> None:
    whole = b"".join(JPEGS)
    write_region_file(tmp_path / "a.h5", contents(), [whole[:3], np.frombuffer(whole[3:], dtype=np.uint8)])
    assert [RegionFile(tmp_path / "a.h5").image_bytes(i) for i in range(3)] == JPEGS


def test_a_failure_leaves_the_former_file_and_nothing_else(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(ValueError, match="expects 19 bytes"):
        write_region_file(path, contents(), JPEGS[:2])
    assert path.read_bytes() == before and list(path.parent.iterdir()) == [path]


def test_rows_that_disagree_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="boxes expects 3 rows, got 2"):
        write_region_file(tmp_path / "a.h5", contents(boxes=np.zeros((2, 4))), JPEGS)
    with pytest.raises(ValueError, match="first_region ends at 2"):
        write_region_file(tmp_path / "a.h5", contents(first_region=np.array([0, 2, 2, 2])), JPEGS)


def test_an_open_file_can_be_pickled(path: Path) -> None:
    file = RegionFile(path)
    file.image_bytes(0)
    copy = pickle.loads(pickle.dumps(file))
    assert copy._handle is None and copy.image_bytes(2) == JPEGS[2]


def _read_in_child(file: RegionFile, queue: multiprocessing.Queue) -> None:
    queue.put((file.image_bytes(2), file.captions(0)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_opens_the_file_anew(path: Path) -> None:
    file = RegionFile(path)
    file.image_bytes(0)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_read_in_child, args=(file, queue))
    child.start()
    assert queue.get(timeout=60) == (JPEGS[2], ["A cat.", "naïve \U0001f431"])
    child.join()
    assert file.image_bytes(2) == JPEGS[2]


def test_wrong_files_are_answered_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist: make it with"):
        len(RegionFile(tmp_path / "absent.h5"))
    (tmp_path / "text.h5").write_text("not hdf5")
    with pytest.raises(UserError, match="not an HDF5 file"):
        len(RegionFile(tmp_path / "text.h5"))
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other.attrs["schema_version"] = 99
    with pytest.raises(UserError, match="this one has 99"):
        len(RegionFile(tmp_path / "other.h5"))
