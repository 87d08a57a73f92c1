"""The compare command: from what is typed to what is shown and written, and what is refused."""

import csv
import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from hydra.core.hydra_config import HydraConfig

import densecap.commands.eval as eval_command
from densecap.cli.arguments import read
from densecap.cli.entry import run
from densecap.cli.table import find_command
from densecap.data.hdf5 import RegionFile
from densecap.evaluation.truth import Truth
from tests.fakes import split as fakes
from tests.fakes.reports import report, write

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
    """Folders a and b=1, the second with better captions."""
    write("a", report(captions={"BLEU-4": 0.2, "distinct": 0.75}))
    write("b=1", report(captions={"BLEU-4": 0.3, "CIDEr-D": 0.5}))


def test_words_are_collected() -> None:
    command = find_command("compare")
    assert read(command, ["a", "b c", "path=[d,e]"]).overrides == ["path=['a','b c','d','e']"]
    assert read(command, ["outputs/eval*"]).overrides == ["path='outputs/eval*'"]


def test_folders_with_signs_in_their_names_are_compared(two, capsys) -> None:
    assert run(["compare", "a", "b=1"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["flickr8k,", "split", "test:", "1,000", "images"]
    assert ["a", "0.2000", "-", "0.7500"] in lines and ["b=1", "0.3000", "0.5000", "-"] in lines


@pytest.mark.parametrize("name", ["new/table.md", "table.csv", "table.JSON"])
def test_tables_are_written_by_the_ending(two, name, capsys) -> None:
    assert run(["compare", "*", f"output={name}"]) == 0
    captured = capsys.readouterr()
    assert captured.err == f"written to {name}\n" and "BLEU-4" in captured.out
    text = Path(name).read_text(encoding="utf-8")
    if name.endswith(".md"):
        assert "| b=1 | **0.3000** | 0.5000 | - |\n" in text
    elif name.endswith(".csv"):
        assert [row["images/BLEU-4"] for row in csv.DictReader(text.splitlines())] == ["0.2", "0.3"]
    else:
        assert [row["images/CIDEr-D"] for row in json.loads(text)] == [None, 0.5]
    assert not [path for path in Path().rglob(".*") if path.is_file()]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "compare needs path=...: folders of evaluations"),
        (["path=null"], "compare needs the folders of evaluations"),
        (["path=[]"], "compare needs the folders of evaluations"),
        (["c"], "there is no file or folder c"),
        (["a", "output=table.txt"], "output=table.txt ends in none of .md, .csv, .json"),
        (["a", "output=a/report.json/table.md"], "cannot write a/report.json/table.md"),
        (["damaged.json"], "damaged.json is cut off or damaged"),
    ],
)
def test_mistakes_are_one_line(two, arguments, sentence, capsys) -> None:
    Path("damaged.json").write_text('{"version":')
    assert run(["compare", *arguments]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and said[0].startswith(f"densecap: {sentence}")


def test_nothing_slow_is_imported_and_nothing_left_behind(two, tmp_path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "densecap", "compare", str(tmp_path)]
    (tmp_path / "elsewhere").mkdir()
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=100)
    modules = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert done.returncode == 0 and "0.3000" in done.stdout and "densecap.evaluation.comparison" in modules
    assert not {"torch", "numpy", "h5py", "PIL", "pytorch_lightning"} & modules
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b=1", "elsewhere"}


def test_what_eval_writes_is_read(monkeypatch, capsys) -> None:
    """Of a perfect file and one that is not, on four of the six images and on all."""
    path = fakes.write_split(Path("fake.h5"))
    monkeypatch.setattr(eval_command, "prepare", lambda data, console: path)
    truth = Truth(RegionFile(path), "test")
    for name, spoil in (("perfect", 0.0), ("spoilt", 0.4)):
        fakes.write_own(Path(f"{name}.json"), fakes.predictions_of(truth, spoil))
        options = ["metric=[detection,bleu]", "convention=[standard,densecap2016]", f"output.dir=evaluated/{name}"]
        assert run(["eval", f"predictions={name}.json", *options]) == 0
    options = ["metric=[detection]", "protocol=predicted", "output.dir=evaluated/part", "max_images=4"]
    assert run(["eval", "predictions=perfect.json", *options]) == 0
    capsys.readouterr()
    assert run(["compare", "evaluated/perfect", "evaluated/spoilt", "output=two.json"]) == 0
    assert capsys.readouterr().out.startswith("fake, split test: 6 images\n")
    for row in json.loads(Path("two.json").read_text()):
        made = json.loads(Path(row["report"]).read_text())["protocols"]
        dense = made["predicted"]["dense_map"]["standard"]["figures"]
        assert row["predicted/standard/detection_mAP"] == dense["detection_mAP"]
        assert ("truth/BLEU-4" in row) and row["truth/BLEU-4"] == made.get("truth", {}).get("captions", {}).get(
            "BLEU-4"
        )
    assert run(["compare", "evaluated"]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first == ("not comparable, the evaluations differ in number of images (4 in part; 6 in perfect and spoilt)")
