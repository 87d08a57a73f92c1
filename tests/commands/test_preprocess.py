"""``preprocess``: when a prepared file is made, made anew, or left alone."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from rich.console import Console

from densecap.commands.preprocess import prepare
from densecap.data.folder_lock import folder_lock
from densecap.data.hdf5 import RegionFile
from densecap.errors import UserError
from tests.fakes.visual_genome import write_json, write_visual_genome

ROOT = Path(__file__).parents[2]


def config(folder: Path, **changes: object) -> dict:
    """data=visual_genome for the miniature in ``folder``/vg, resolved."""
    whole = OmegaConf.create({"paths": {"data": str(folder)}})
    whole.data = OmegaConf.load(ROOT / "configs" / "data" / "visual_genome.yaml")
    whole.data = OmegaConf.merge(whole.data, {"root": str(folder / "vg"), "min_token_count": 1, **changes})
    return OmegaConf.to_container(whole.data, resolve=True)


def prepared(data: dict, **options: object) -> str:
    """What ``prepare`` said."""
    console = Console(file=io.StringIO(), width=300)
    assert prepare(data, 1, console=console, **options) == Path(data["file"])
    return console.file.getvalue()


def test_made_once_then_left_alone(tmp_path: Path) -> None:
    write_visual_genome(tmp_path / "vg")
    data = config(tmp_path)
    assert data["file"] == f"{tmp_path}/visual_genome_720.h5"
    assert "written to" in prepared(data)
    before = Path(data["file"]).stat()
    assert "is complete and made with these options" in prepared(data)
    after = Path(data["file"]).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert "is made anew: overwrite=true" in prepared(data, overwrite=True)
    assert Path(data["file"]).stat().st_ino != before.st_ino


def test_made_anew_when_options_or_annotations_change(tmp_path: Path) -> None:
    entries = write_visual_genome(tmp_path / "vg")
    prepared(config(tmp_path))
    assert "min_token_count is now 2, it was 1" in prepared(config(tmp_path, min_token_count=2))
    assert "vocabulary_splits is now ['train', 'val']" in prepared(
        config(tmp_path, min_token_count=2, vocabulary_splits=["train", "val"])
    )
    data = config(tmp_path, min_token_count=2, vocabulary_splits=["train", "val"])
    assert "is complete" in prepared(data)
    entries[0]["regions"].pop()
    write_json(tmp_path / "vg" / "region_descriptions.json", entries)
    assert "region_descriptions.json changed" in prepared(data)
    (tmp_path / "vg" / "image_data.json").unlink()
    assert "there are other annotation files" in prepared(data)
    write_json(tmp_path / "mine.json", {"train": [1, 2], "val": [3]})
    data["reader"]["splits"] = str(tmp_path / "mine.json")
    assert "mine.json changed" in prepared(data)
    assert RegionFile(data["file"]).ids == ["1", "2", "3"]


def test_a_touched_or_moved_data_set_is_the_same(tmp_path: Path) -> None:
    write_visual_genome(tmp_path / "vg")
    prepared(config(tmp_path))
    os.utime(tmp_path / "vg" / "region_descriptions.json", (1, 1))
    assert "is complete" in prepared(config(tmp_path))
    shutil.move(tmp_path / "vg", tmp_path / "elsewhere")
    assert "is complete" in prepared(config(tmp_path, root=str(tmp_path / "elsewhere")))


def test_a_file_without_its_data_set_is_good_enough_but_a_wrong_root_is_not(tmp_path: Path) -> None:
    write_visual_genome(tmp_path / "vg")
    prepared(config(tmp_path))
    shutil.rmtree(tmp_path / "vg")
    assert "is complete" in prepared(config(tmp_path))
    with pytest.raises(UserError, match="typo is not a folder"):
        prepared(config(tmp_path, root=str(tmp_path / "typo")))
    with pytest.raises(UserError, match="vg is not a folder"):
        prepared(config(tmp_path, max_tokens=5))


def test_a_damaged_file_is_made_anew(tmp_path: Path) -> None:
    write_visual_genome(tmp_path / "vg")
    data = config(tmp_path)
    Path(data["file"]).write_bytes(b"half a file")
    assert "is not an HDF5 file" in prepared(data)
    assert len(RegionFile(data["file"])) == 12


def test_a_value_that_has_to_be_given(tmp_path: Path) -> None:
    whole = OmegaConf.create({"paths": {"data": "data"}})
    whole.data = OmegaConf.load(ROOT / "configs" / "data" / "csv.yaml")
    with pytest.raises(UserError, match="data.root has to be given: add data.root=..."):
        prepare(whole.data, console=Console(file=io.StringIO()))


def test_the_lock_of_a_folder_is_held_and_let_go(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from densecap.data.folder_lock import folder_lock\n"
        "with folder_lock(Path(sys.argv[1]), lambda: print('waiting', flush=True)): print('mine', flush=True)"
    )
    with folder_lock(tmp_path, lambda: None):
        other = subprocess.Popen([sys.executable, "-c", program, tmp_path], stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert other.stdout is not None and other.stdout.readline() == "waiting\n"
        time.sleep(0.2)
        assert other.poll() is None
    assert other.communicate(timeout=60)[0] == "mine\n"


PROGRAM = """
import json, sys
from pathlib import Path
from densecap.commands.preprocess import prepare
prepare(json.loads(Path(sys.argv[1]).read_text()), num_workers=1)
"""


def start(folder: Path, data: dict) -> subprocess.Popen:
    write_json(folder / "config.json", data)
    command = [sys.executable, "-c", PROGRAM, str(folder / "config.json")]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)


def wait_for_parts(data: dict, process: subprocess.Popen, count: int) -> None:
    while len(list(Path(data["file"] + ".parts").glob("*.part"))) < count:
        assert process.poll() is None, process.stderr and process.stderr.read()
        time.sleep(0.01)


@pytest.mark.long
def test_killed_and_interrupted_runs_go_on_where_they_were(tmp_path: Path) -> None:
    write_visual_genome(tmp_path / "vg", num_images=320, size=(600, 800), num_regions=2)
    data = config(tmp_path, image_size=700)
    for sent, parts in ((signal.SIGKILL, 2), (signal.SIGINT, 5)):
        process = start(tmp_path, data)
        wait_for_parts(data, process, parts)
        process.send_signal(sent)
        _, said = process.communicate(timeout=60)
        assert process.returncode != 0 and not Path(data["file"]).exists()
        assert len(list(Path(data["file"] + ".parts").glob("*.part"))) >= parts
    assert "interrupted: what is done is kept in" in said
    there = len(list(Path(data["file"] + ".parts").glob("*.part")))
    assert f"{there * 32:,} of 320 images were there from an earlier run" in prepared(data)
    interrupted = RegionFile(data["file"])
    uninterrupted = config(tmp_path, image_size=700, file=str(tmp_path / "other.h5"))
    prepared(uninterrupted)
    other = RegionFile(uninterrupted["file"])
    assert interrupted.ids == other.ids and interrupted.vocabulary == other.vocabulary
    assert all(interrupted.image_bytes(index) == other.image_bytes(index) for index in range(320))
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"vg", "config.json"} | {
        f"{n}.h5{e}" for n in ("visual_genome_700", "other") for e in ("", ".report.json")
    }


@pytest.mark.long
def test_two_processes_make_it_once(tmp_path: Path) -> None:
    write_visual_genome(tmp_path / "vg", num_images=100, size=(600, 800))
    data = config(tmp_path)
    said = [process.communicate(timeout=120)[1] for process in [start(tmp_path, data), start(tmp_path, data)]]
    assert sum("written to" in text for text in said) == 1
    assert len(RegionFile(data["file"])) == 100
    assert json.loads(Path(data["file"] + ".report.json").read_text())["images"]["dropped"] == {}
