"""The report of a sweep: from a study, from the folders of a grid, and what explains the differences."""

import re
import shlex

import pytest

from densecap.cli.entry import run
from densecap.sweeps.report.importance import explained, importances
from densecap.sweeps.report.page import page
from densecap.sweeps.report.rows import COMPLETE, Row, Sweep, duration
from tests.fakes.sweeps import SHARED, loss_of, make_grid, make_study


def report(path, *words):
    return run(["sweep_report", str(path), *words])


def test_a_search_is_listed_best_first_with_ready_commands(tmp_path, capsys):
    make_study(tmp_path)
    assert report(tmp_path, "top=2") == 0
    text = capsys.readouterr().out
    rows = re.findall(r"^│ (\d+) +│ (\w+) +│ ([\d.]*) +│", text, re.MULTILINE)
    values = [float(value) for _, state, value in rows if state == "complete"]
    assert values == sorted(values) and len(values) == 12
    assert [state for _, state, _ in rows[-2:]] == ["pruned", "failed"]
    assert "out of memory: 3 GiB" in text
    commands = [shlex.split(line) for line in text.splitlines() if line.startswith("python train.py")]
    assert len(commands) == 2 and commands[0][2:4] == SHARED
    best = dict(word.split("=") for word in commands[0][4:])
    assert loss_of({**best, "optimizer.lr": float(best["optimizer.lr"])}) == pytest.approx(values[0], rel=1e-3)


def test_the_page_has_its_plots_and_nothing_from_elsewhere(tmp_path):
    make_study(tmp_path, name="<mine>")
    assert report(tmp_path) == 0
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert text.count("<svg") == 7  # history, importance, curves, parallel, three slices
    assert text.count('class="dot"') == 4 * 12 and text.count('class="dot pruned"') == 4
    assert "&lt;mine&gt;" in text and "<mine>" not in text
    assert not re.search(r"https?://", text)


def test_a_grid_is_read_from_its_folders(tmp_path, capsys):
    assert report(make_grid(tmp_path / "grid"), f"output={tmp_path / 'page.html'}") == 0
    text = capsys.readouterr().out
    states = re.findall(r"^│ (\d+) +│ (\w+) ", text, re.MULTILINE)
    assert states == [("1", "complete"), ("0", "complete"), ("2", "failed"), ("3", "killed")]
    assert "Invalid learning rate" in text and "optimizer.lr=1e-3 model/decoder=gru" in text
    assert (tmp_path / "page.html").exists() and not (tmp_path / "grid" / "report.html").exists()


def test_what_is_no_sweep_is_said(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("x")
    for words, said in (
        ([tmp_path], "holds no jobs of a sweep"),
        ([tmp_path / "gone"], "there is no folder"),
        ([tmp_path / "notes.txt"], "is no study"),
        ([], "needs path="),
    ):
        assert run(["sweep_report", *map(str, words)]) == 2
        assert said in capsys.readouterr().err


def test_epsilon_squared_by_hand():
    # groups 1,3 and 5,7: within 4 of 2 degrees of freedom, in all 20 of 3
    assert explained("aabb", [1.0, 3.0, 5.0, 7.0]) == pytest.approx(1 - (4 / 2) / (20 / 3))
    assert explained("abab", [1.0, 1.0, 2.0, 2.0]) == 0.0  # the groups are alike
    assert explained("abcd", [1.0, 2.0, 3.0, 4.0]) == 0.0  # every trial its own group says nothing
    assert explained("aabb", [1.0, 1.0, 2.0, 2.0]) == 1.0


def test_importance_finds_what_the_figure_was_made_of():
    rows = [
        Row(
            n,
            COMPLETE,
            2.0 * (n % 2) + 0.5 * (n // 2 % 4) + 0.01 * (n % 3),
            {"a": n % 2, "b": n // 2 % 4, "c": n * 7 % 31},
        )
        for n in range(32)
    ]
    shares = importances(Sweep("x", "val/loss", "min", rows, "search"))
    assert list(shares) == ["a", "b", "c"] and shares["a"] > 0.5 > shares["b"] > shares["c"]
    assert importances(Sweep("x", "val/loss", "min", rows[:3], "search")) == {}


def test_a_sweep_of_one_trial_and_of_none_has_a_page():
    for rows in ([], [Row(0, COMPLETE, 1.0, {"a": None, "b": "x"})], [Row(0, COMPLETE, 1.0, {"a": 2})] * 5):
        assert "<h1>x</h1>" in page(Sweep("x", "val/loss", "max", rows, "search"), top=3)


def test_durations_are_read_at_a_glance():
    assert [duration(seconds) for seconds in (None, 5.4, 65, 3723)] == ["", "0:05", "1:05", "1:02:03"]
