"""Runs read from folders made by hand."""

import json

import pytest

from densecap.errors import UserError
from densecap.runs.differences import ABSENT, config_differences, figure_rows
from densecap.runs.durations import end_in_words, in_words
from densecap.runs.folder import find_run, find_runs
from densecap.runs.listing import as_csv, as_json, as_markdown, chosen_figures, row_of, sorted_runs
from tests.fakes.run_folders import ended, running, write_run

TABLE = "epoch,step,train/loss,val/CIDEr,val/loss\n0,9,4.0,,\n0,19,,0.5,3.0\n1,39,,0.25,2.0\n"


@pytest.fixture
def outputs(tmp_path):
    """A finished run, one that runs, one that was killed, one that failed, one of before status.json, an evaluation."""
    outputs, train = tmp_path / "outputs", tmp_path / "outputs" / "train"
    write_run(train / "a", ended(best={"val/CIDEr": 0.9, "val/loss": 1.0}))
    write_run(train / "b", running(started="2026-03-02T10:00:00+00:00"))
    write_run(train / "c", running(started="2026-03-03T10:00:00+00:00", process_start="1"))
    write_run(
        train / "sweep" / "0", ended("failed", "2026-03-04T10:00:00+00:00", "2026-03-04T10:00:30+00:00", reason="E")
    )
    write_run(train / "old", table=TABLE)
    write_run(outputs / "eval", trainer=None)
    (outputs / "eval" / "config.yaml").write_text("split: test\n")
    return outputs


def test_every_run_is_found_with_its_state(outputs):
    found = {run.name: run.state for run in find_runs([outputs])}
    assert found == {"a": "finished", "b": "running", "c": "killed", "sweep/0": "failed", "old": "unknown"}
    assert [run.name for run in find_runs([outputs / "train", outputs])][:4] == ["old", "sweep/0", "c", "b"]
    with pytest.raises(UserError, match="no folder"):
        find_runs([outputs / "nowhere"])


def test_a_row_tells_what_is_known(outputs):
    run = find_run("a", outputs)
    row = row_of(run, ["val/CIDEr", "val/METEOR"])
    assert row["seconds"] == 5400 and row["epochs"] == 3 and row["steps"] == 960
    assert (row["model"], row["data"], row["experiment"]) == ("densecap_small", "shapes", "quickstart")
    assert row["val/CIDEr"] == 0.9 and row["val/METEOR"] is None
    assert row["started"] == "2026-03-01T10:00:00+00:00" and row["reason"] is None


def test_without_a_status_the_table_of_figures_tells(outputs):
    run = find_run("old", outputs)
    assert run.best == {"val/CIDEr": 0.5, "val/loss": 2.0} and run.steps == 40 and run.epochs is None


def test_the_best_run_comes_first(outputs):
    runs = find_runs([outputs])
    assert [run.name for run in sorted_runs(runs, "CIDEr")][:2] == ["a", "old"]
    assert [run.name for run in sorted_runs(runs, "val/loss")][:2] == ["a", "old"]
    assert sorted_runs(runs, "duration")[0].name in ("b", "c")
    assert [run.name for run in sorted_runs(runs, "oldest")][0] == "a"
    assert chosen_figures(runs, []) == ["val/CIDEr", "val/loss"]
    assert chosen_figures(runs, ["loss"]) == ["val/loss"]
    with pytest.raises(UserError, match="no run has the figure METEOR"):
        chosen_figures(runs, ["METEOR"])


def test_a_run_is_meant_by_folder_file_or_name(outputs):
    folder = outputs / "train" / "a"
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "best.ckpt").touch()
    for text in ("a", str(folder), str(folder / "checkpoints" / "best.ckpt")):
        assert find_run(text, outputs).folder == folder
    write_run(outputs / "train" / "other" / "a", ended())
    assert find_run("other/a", outputs).folder == outputs / "train" / "other" / "a"
    with pytest.raises(UserError, match=r"no run z, neither"):
        find_run("z", outputs)
    write_run(outputs / "train" / "third" / "0", ended())
    with pytest.raises(UserError, match="may be .* or "):
        find_run("0", outputs)


def test_what_differs_between_two(tmp_path):
    write_run(tmp_path / "a", ended(best={"val/CIDEr": 0.5}))
    write_run(
        tmp_path / "b",
        ended(best={"val/CIDEr": 0.75, "val/loss": 1.0}),
        optimizer={"_target_": "torch.optim.Adam", "lr": 0.2, "betas": [0.9, 0.99]},
        ckpt="x",
    )
    first, second = find_run(str(tmp_path / "a"), tmp_path), find_run(str(tmp_path / "b"), tmp_path)
    assert config_differences(first, second) == [
        {"key": "optimizer.lr", "a": 0.1, "b": 0.2},
        {"key": "optimizer.betas", "a": ABSENT, "b": [0.9, 0.99]},
    ]
    assert config_differences(first, first) == []
    rows = {row["figure"]: row for row in figure_rows(first, second)}
    assert rows["val/CIDEr"]["difference"] == 0.25 and rows["val/loss"]["difference"] is None
    assert rows["steps"] == {"figure": "steps", "a": 960, "b": 960, "difference": 0}


def test_formats():
    rows = [{"run": "a|b", "val/loss": 0.123456, "reason": None}]
    assert as_markdown(rows).splitlines()[2] == r"| a\|b | 0.1235 |  |"
    assert as_csv(rows) == "run,val/loss,reason\na|b,0.123456,\n"
    assert json.loads(as_json(rows)) == rows
    assert as_markdown([]) == "" and as_csv([]) == "run\n"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3599, "1 h"),
        (12000, "3 h 20 min"),
        (86400, "1 day"),
        (187200, "2 days 4 h"),
    ],
)
def test_durations(seconds, words):
    assert in_words(seconds) == words


def test_ends():
    from datetime import datetime

    noon = datetime(2026, 3, 1, 12, 0)
    assert end_in_words(7500, noon) == "14:05" and end_in_words(50000, noon) == "2026-03-02 01:53"
