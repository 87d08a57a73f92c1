"""``benchmark table``: rows by hand, arithmetic beside what was worked out by hand, and a run of all of it."""

from __future__ import annotations

import json

import pytest
import torch

from densecap.benchmark import machine
from densecap.benchmark.settings_table import BY_HAND, COLUMNS, Row, Setting, counted_operations, markdown, settings_of
from densecap.benchmark.timing import Timing
from densecap.cli.composition import compose
from densecap.commands import benchmark, benchmark_table
from densecap.commands.benchmark_model import timed_model
from densecap.errors import UserError
from densecap.models.compilation import compile_parts

OPTIONS = {"parts": ["predict", "train"], "precision": ["fp32", "tf32", "bf16"], "compile": [False, True]}


def test_every_combination_once_and_no_tf32_without_a_gpu():
    options = {**OPTIONS, "batch_sizes": [1, 8]}
    assert len(settings_of(options, on_gpu=True)) == len(set(settings_of(options, on_gpu=True))) == 2 * 3 * 2 * 2
    assert {setting.precision for setting in settings_of(options, on_gpu=False)} == {"fp32", "bf16"}


def test_a_row_by_hand():
    """Eight images of 0.5 TFLOP in two seconds are 4 images/s and 2 TFLOP/s, half of what the machine multiplies."""
    timing = Timing((1.9, 2.0, 5.0), peak_memory=3_500_000_000)
    row = Row(Setting("predict", "bf16", True, 8), rate=4e12, operations=4e12, timing=timing)
    assert row.cells() == ["predict", "bf16", "yes", "8", "4", "2", "4", "50.0%", "3.50 GB", "500"]
    failed = Row(Setting("train", "fp32", False, 8), rate=4e12, problem="out of memory")
    head, line, first, second = markdown([row, failed]).splitlines()
    assert len({text.count("|") for text in (head, line, first, second)}) == 1
    assert "out of memory" in second and failed.to_json()["problem"] == "out of memory"


def test_the_counter_finds_what_was_worked_out_by_hand():
    """388 GFLOP to predict; "about a TFLOP" of training supposes that the backbone learns."""
    learning = compose("benchmark", ["model.backbone.trainable=true"])
    counted = counted_operations(timed_model(learning), (540, 720), regions=300, steps=16)
    assert counted["predict"] == pytest.approx(BY_HAND["predict"], rel=0.01)
    assert counted["train"] == pytest.approx(BY_HAND["train"], rel=0.2)


def small_config(tmp_path, *more):
    quick = ["model=densecap_small", "device=cpu", "data.image_size=64", "repeats=1", "regions=4", "vocabulary_size=40"]
    table = ["table.width=64", "table.height=48", "table.batch_sizes=[2]", "table.regions=6", "table.warmups=1"]
    files = [f"table.markdown={tmp_path}/rows.md", f"output={tmp_path}/rows.json"]
    return compose("benchmark", ["part=table", *quick, *table, *files, *more])


@pytest.fixture(params=["noted", pytest.param("eager", marks=pytest.mark.long)])
def slow_machine(request, monkeypatch):
    """Whose product nobody waits for; compilation is only noted, or done by a backend that changes nothing."""
    monkeypatch.setattr(machine, "product_rate", lambda precision, device: 1e9)
    calls = []

    def compile_at_once(model):
        calls.append(model)
        if request.param == "eager":
            compile_parts(model, backend="eager")

    monkeypatch.setattr(benchmark_table, "compile_parts", compile_at_once)
    return calls


def test_the_whole_table_on_the_processor(tmp_path, slow_machine, capsys):
    benchmark.run(small_config(tmp_path))
    content = json.loads((tmp_path / "rows.json").read_text())
    rows = content["rows"]
    assert len(rows) == 2 * 2 * 2 and len(slow_machine) == 4 and all(row["problem"] is None for row in rows)
    lines = (tmp_path / "rows.md").read_text().splitlines()
    assert lines[2] == f"| {' | '.join(COLUMNS)} |" and len(lines) == 4 + len(rows)
    assert lines[0] in capsys.readouterr().out
    for row in rows:
        assert row["seconds"]["median"] > 0 and row["peak_memory_bytes"] > 0
        rate = row["operations"] / row["seconds"]["median"]
        assert row["operations_per_second"] == pytest.approx(rate)
        twin = next(other for other in rows if {**other, **same(row)} == other and other["compiled"] != row["compiled"])
        assert twin["operations"] == row["operations"], "compiled layers do the same arithmetic"


def same(row):
    return {key: row[key] for key in ("part", "precision", "batch_size")}


def test_a_setting_that_fails_costs_one_row(tmp_path, slow_machine, monkeypatch):
    def out_of_memory(*arguments):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")

    monkeypatch.setattr(benchmark_table, "_training", out_of_memory)
    benchmark.run(small_config(tmp_path, "table.compile=[false]"))
    problems = [(row["part"], row["problem"]) for row in json.loads((tmp_path / "rows.json").read_text())["rows"]]
    assert problems == [("predict", None)] * 2 + [("train", "out of memory")] * 2


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("table.precision=[fp8]", "table.precision is a list of fp32, tf32, bf16, got fp8"),
        ("table.parts=[nms]", "table.parts is a list of predict, train, got nms"),
        ("table.height=0", "table.height is a whole number above 0"),
        ("model=mrnn_vgg16", "benchmark times the parts of a dense captioner"),
    ],
)
def test_mistakes(tmp_path, typed, words):
    with pytest.raises(UserError, match=words):
        benchmark.run(small_config(tmp_path, typed))


def test_tf32_is_that_of_products_and_of_convolutions():
    """cuDNN rounds unless it is told not to."""
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    try:
        for allowed, name in ((True, "high"), (False, "highest")):
            machine.allow_tf32(allowed)
            assert torch.get_float32_matmul_precision() == name and torch.backends.cudnn.allow_tf32 is allowed
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]
