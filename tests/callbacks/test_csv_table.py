"""The table of figures: what a run that goes on finds and keeps."""

import csv

import pytest
from PIL import Image

from densecap.callbacks.csv_table import CsvTable, heading_of
from densecap.runs.history import read_history


def rows(folder):
    with (folder / "csv" / "metrics.csv").open(newline="") as file:
        return [{key: text for key, text in row.items() if text} for row in csv.DictReader(file)]


def test_a_resume_drops_what_will_come_again_and_keeps_the_rest(tmp_path):
    first = CsvTable(str(tmp_path))
    for step in (9, 19, 29):
        first.log_metrics({"train/loss": 30.0 - step}, step)
    first.log_metrics({"val/loss": 1.5}, 29)
    first.finalize("failed")
    second = CsvTable(str(tmp_path))
    second.log_metrics({"train/loss": 5.0}, 19)
    second.log_metrics({"val/CIDEr": 0.5}, 29)
    second.finalize("success")
    assert rows(tmp_path) == [
        {"step": "9", "train/loss": "21.0"},
        {"step": "19", "train/loss": "5.0"},
        {"step": "29", "val/CIDEr": "0.5"},
    ]
    assert read_history(tmp_path).curves == {"train/loss": [(9, 21.0), (19, 5.0)], "val/CIDEr": [(29, 0.5)]}


def test_half_a_row_of_a_killed_process_is_left_out(tmp_path):
    (tmp_path / "csv").mkdir()
    (tmp_path / "csv" / "metrics.csv").write_text("step,train/loss\n9,2.0\n1")
    table = CsvTable(str(tmp_path))
    table.log_metrics({"train/loss": 1.0}, 19)
    table.save()
    assert rows(tmp_path) == [{"step": "9", "train/loss": "2.0"}, {"step": "19", "train/loss": "1.0"}]


def test_curves_appear_at_a_validation_and_at_the_end(tmp_path):
    table, picture = CsvTable(str(tmp_path)), tmp_path / "curves.png"
    table.log_metrics({"train/loss": 1.0}, 9)
    assert not picture.exists()
    table.log_metrics({"val/loss": 1.0}, 9)
    narrow = Image.open(picture).size
    table.log_metrics({"lr-Adam": 1.0}, 19)
    assert Image.open(picture).size == narrow
    table.finalize("success")
    assert Image.open(picture).size > narrow


def test_no_picture_where_none_is_wanted(tmp_path):
    table = CsvTable(str(tmp_path), curves=False)
    table.log_metrics({"val/loss": 1.0}, 9)
    table.finalize("success")
    assert not (tmp_path / "curves.png").exists() and len(rows(tmp_path)) == 1


def test_figures_without_a_step_belong_to_the_last(tmp_path):
    table = CsvTable(str(tmp_path))
    table.log_metrics({"val/loss": 1.0}, 29)
    table.log_metrics({"test/dense_mAP": 0.5})
    table.finalize("success")
    assert rows(tmp_path)[-1] == {"step": "29", "test/dense_mAP": "0.5"}


@pytest.mark.parametrize(
    ("config", "words"),
    [({"choices": {"model": "m"}, "data": {"name": "d"}}, "m on d"), ({"data": {"name": "d"}}, "d"), ({}, "")],
)
def test_the_heading(config, words):
    assert heading_of(config) == words
