"""The runs command: from what is typed to what is shown and written, and what is refused."""

import csv
import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from hydra.core.hydra_config import HydraConfig

from densecap.cli.entry import run
from tests.fakes.run_folders import ended, running, write_run

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _folder(monkeypatch, tmp_path):
    """Work in a folder with three runs; leave logging and Hydra's global state as they were."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["densecap"])
    train = Path("outputs/train")
    write_run(train / "first", ended(best={"val/CIDEr": 0.9, "val/loss": 1.0}))
    changed = {"optimizer": {"_target_": "torch.optim.Adam", "lr": 0.2}, "seed": True}
    write_run(train / "second=2", ended("failed", "2026-03-04T10:00:00+00:00", reason="OSError: full"), **changed)
    write_run(train / "third", running(started="2026-03-05T10:00:00+00:00", process_start="0"))
    before = logging.root.handlers[:], logging.root.level, HydraConfig.instance().cfg
    yield
    logging.root.handlers[:], logging.root.level, HydraConfig.instance().cfg = before


def listed(capsys, *words):
    """The rows that a command line gives as JSON."""
    assert run(["runs", *words, "format=json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_newest_stands_first(capsys):
    assert run(["runs"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    names = [line[1] for line in lines if len(line) > 3 and line[0] == "│"]
    assert names == ["third", "second=2", "first"]
    assert lines[-2][:5] == ["│", "first", "│", "finished", "│"] and "0.9" in lines[-2]


def test_rows_are_chosen_and_sorted(capsys):
    assert [row["run"] for row in listed(capsys, "state=killed")] == ["third"]
    assert [row["run"] for row in listed(capsys, "match=SECOND")] == ["second=2"]
    assert [row["run"] for row in listed(capsys, "sort=name", "limit=2")] == ["first", "second=2"]
    assert [row["run"] for row in listed(capsys, "sort=CIDEr")][0] == "first"
    assert listed(capsys, "figures=loss", "state=finished")[0]["val/loss"] == 1.0
    assert [row["run"] for row in listed(capsys, "outputs/train/first")] == ["first"]


@pytest.mark.parametrize("name", ["new/table.md", "table.csv", "table.JSON"])
def test_tables_are_written_by_the_ending(name, capsys):
    assert run(["runs", f"output={name}"]) == 0
    assert capsys.readouterr().err == f"written to {name}\n"
    text = Path(name).read_text(encoding="utf-8")
    rows = {".csv": lambda: list(csv.DictReader(text.splitlines())), ".json": lambda: json.loads(text)}
    if Path(name).suffix.lower() in rows:
        found = rows[Path(name).suffix.lower()]()
        assert [row["state"] for row in found] == ["killed", "failed", "finished"]
        assert found[1]["reason"] == "OSError: full"
    else:
        assert text.startswith("| run | state |") and "| second=2 | failed |" in text


@pytest.mark.parametrize("words", [["compare=[first,second=2]"], ["outputs/train/first", "outputs/train/second=2"]])
def test_two_runs_side_by_side(words, capsys):
    assert run(["runs", *words]) == 0
    out = capsys.readouterr().out
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in out.splitlines() if line.startswith("│")]
    assert ["optimizer.lr", "0.1", "0.2"] in rows and ["seed", "1", "true"] in rows
    assert ["val/CIDEr", "0.9", "", ""] in rows and ["steps", "960", "960", "0"] in rows
    assert len([row for row in rows if len(row) == 3]) == 2  # nothing else differs
    assert "second=2: failed (OSError: full), outputs/train/second=2" in out


def test_a_comparison_as_json(capsys):
    (both,) = listed(capsys, "compare=[first,third]")
    assert both["configuration"] == [] and {row["figure"] for row in both["figures"]} >= {"val/loss", "seconds"}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nowhere"], "there is no folder nowhere"),
        (["compare=first"], "compare= takes two runs"),
        (["compare=[first,none]"], "there is no run none, neither as a folder nor by that name in outputs"),
        (["compare=[first,first]"], "is one run; compare= takes two different ones"),
        (["state=dancing"], "state=dancing: a run is running, finished"),
        (["sort=METEOR"], "no run has the figure METEOR; there are val/CIDEr, val/loss"),
        (["format=xml"], "format=xml is not known"),
        (["output=table.xml"], "output=table.xml ends in none of .csv, .json, .md"),
        (["limit=many"], "limit=many"),
    ],
)
def test_mistakes_are_one_sentence(words, sentence, capsys):
    assert run(["runs", *words]) == 2
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1


def test_nothing_is_changed_and_nothing_heavy_imported():
    before = {path: path.stat().st_mtime_ns for path in Path("outputs").rglob("*")}
    heavy = "{'torch', 'numpy', 'PIL'}"
    code = f"import sys; from densecap.cli.entry import run; run(['runs']); print(*{heavy} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": str(ROOT)}
    )
    assert done.stdout.splitlines()[-1] == ""
    assert {path: path.stat().st_mtime_ns for path in Path("outputs").rglob("*")} == before


def test_a_folder_without_runs_says_so(capsys, tmp_path):
    (tmp_path / "empty").mkdir()
    assert run(["runs", "empty"]) == 0
    assert capsys.readouterr().out == "no runs in empty\n"
