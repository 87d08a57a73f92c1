"""The view command: from what is typed to a page that is written or served, and what is refused."""

import json
import logging
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf
from PIL import Image

from densecap.cli.arguments import read
from densecap.cli.entry import run
from densecap.cli.table import find_command
from densecap.commands import view
from densecap.data.hdf5 import RegionFile
from densecap.errors import UserError
from densecap.evaluation.truth import Truth
from tests.fakes import split as fakes

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _folder(monkeypatch, tmp_path):
    """Work in an empty folder; leave logging and Hydra's global state as they were."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["densecap"])
    before = logging.root.handlers[:], logging.root.level, HydraConfig.instance().cfg
    yield
    logging.root.handlers[:], logging.root.level, HydraConfig.instance().cfg = before


@pytest.fixture
def two():
    """Predictions of six images in the folders a and b=1, and the truth in fake.h5."""
    truth = Truth(RegionFile(fakes.write_split(Path("fake.h5"))), "test")
    for name, spoil in (("a", 0.0), ("b=1", 0.4)):
        Path(name).mkdir()
        fakes.write_own(Path(name, "predictions.json"), fakes.predictions_of(truth, spoil))


def _index(folder: str) -> dict:
    text = Path(folder, "data", "index.js").read_text()
    return json.loads(text.removeprefix("densecapData.index(").rstrip().removesuffix(");"))


def test_words_are_collected() -> None:
    command = find_command("view")
    assert read(command, ["a", "b c"]).overrides == ["path=['a','b c']"]
    assert read(command, ["path=[a,b]"]).overrides == ["path=['a','b']"]
    assert read(command, ["a", "images=my photos (1)"]).overrides == ["path='a'", "images='my photos (1)'"]


def test_two_files_and_the_truth_are_written_as_a_folder(two, capsys) -> None:
    assert run(["view", "a", "b=1", "truth=fake.h5", "output=page"]) == 0
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "a/predictions.json and b=1/predictions.json: 6 images"
    assert said[-1].endswith("written to " + str(Path("page/index.html").resolve()))
    index = _index("page")
    assert [file["title"] for file in index["files"]] == ["a", "b=1"] and index["truth"] is True
    assert len(list(Path("page/images").iterdir())) == 6


def test_missing_photos_are_told_and_their_folder_can_be_given(two, capsys) -> None:
    Path("moved").mkdir()
    Image.new("RGB", (500, 375)).save("moved/000000000012.jpg")
    assert run(["view", "a", "output=page"]) == 0
    assert (
        "6 of their photos are not to be found, their boxes are shown without; images=FOLDER" in capsys.readouterr().err
    )
    assert run(["view", "a", "output=page", "images=moved"]) == 0
    assert "5 of their photos are not to be found, their boxes are shown without\n" in capsys.readouterr().err
    assert [row[4] for row in _index("page")["images"]] == [0, 0, 0, 0, 0, ".jpg"]


def test_the_truth_of_a_data_set_is_prepared(two, monkeypatch) -> None:
    prepared = []
    monkeypatch.setattr(
        "densecap.commands.preprocess.prepare",
        lambda data, console: prepared.append(str(data.name)) or Path("fake.h5"),
    )
    assert run(["view", "a", "data=shapes", "output=page"]) == 0
    assert prepared == ["shapes"] and _index("page")["truth"] is True


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "view needs path=...: a file of predictions"),
        (["a", "prot=1"], "there is no option prot (did you mean port?)"),
        (["a", "b=1", "a"], "the viewer shows one file of predictions, or two side by side, not 3"),
        (["a", "output=a"], "holds something else than a page of the viewer"),
    ],
)
def test_mistakes_are_one_line(two, arguments, sentence, capsys) -> None:
    assert run(["view", *arguments]) == 2
    said = capsys.readouterr().err.splitlines()
    assert said[-1].startswith("densecap: ") and sentence in said[-1]
    assert not any("Traceback" in line for line in said)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"path": None}, "view needs a file of predictions, or a folder with one"),
        ({"path": "c"}, "there is no file or folder c"),
        ({"path": "empty"}, "the folder empty holds no predictions"),
        ({"path": "damaged.json"}, "damaged.json is cut off"),
        ({"images": "fake.h5"}, "images=fake.h5 is no folder"),
        ({"truth": "none.h5"}, "truth=none.h5 is no file"),
        ({"truth": "fake.h5", "data": {"name": "shapes"}}, "the truth is either a file, truth=FILE, or a data set"),
        ({"truth": "fake.h5", "split": "train"}, "none of the images in a/predictions.json is among the 6"),
        ({"truth": "fake.h5", "split": "dev"}, "split is one of train, val, test, got dev"),
        ({"max_side": 0}, "max_side is a whole number of pixels above 0, or null, got 0"),
        ({"port": 70000}, "port is a whole number from 0 to 65535, got 70000"),
        ({"output": "damaged.json/page"}, "the page cannot be made: "),
    ],
)
def test_what_cannot_be_shown_is_said_in_a_sentence(two, given, sentence) -> None:
    Path("damaged.json").write_text('{"version":')
    Path("empty").mkdir()
    with pytest.raises(UserError, match=f"^{re.escape(sentence)}"):
        view.run(OmegaConf.create({"path": "a", "port": 0, "split": "test", "max_side": 100, "open": False, **given}))


def test_a_browser_is_opened_where_there_is_a_screen(monkeypatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert not view.has_screen()
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert view.has_screen()


@pytest.mark.long
@pytest.mark.skipif(os.name == "nt", reason="sends a signal")
def test_the_page_is_served_until_ctrl_c(two, tmp_path) -> None:
    command = [sys.executable, "-m", "densecap", "view", str(tmp_path / "a"), "port=0", "open=false"]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        lines = iter(process.stderr.readline, "")
        line = next(line for line in lines if line.startswith("the page is at "))
        with urllib.request.urlopen(line.split()[4], timeout=30) as answer:
            assert b"<title>densecap viewer</title>" in answer.read()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0 and process.stderr.read() == "ended\n"
    finally:
        process.kill()
        process.stderr.close()
