"""Evaluations side by side: every figure in its column, the best of each, and what forbids comparing."""

import csv
import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from densecap.evaluation.comparability import differences
from densecap.evaluation.comparison import Column, Evaluated, best, columns, tables
from densecap.evaluation.comparison_tables import as_csv, as_json, as_markdown, rows, show
from tests.fakes.reports import dense_report, report

RETRIEVAL = {
    "correction": "marginal",
    "sentence_from_image": {"R@1": 0.1, "R@5": 0.3, "R@10": 0.4, "median_rank": 15.5, "queries": 1000},
    "image_from_sentence": {"R@1": 0.05, "R@5": 0.2, "R@10": 0.3, "median_rank": 20.0, "queries": 5000},
}


def evaluated(**reports) -> list[Evaluated]:
    return [Evaluated(name, Path("outputs", name, "report.json"), own) for name, own in reports.items()]


def printed(evaluations: list[Evaluated], width: int = 100) -> str:
    output = io.StringIO()
    show(evaluations, Console(file=output, width=width, highlight=False, markup=False))
    return output.getvalue()


def test_columns_are_what_one_of_them_has_in_one_order() -> None:
    some = evaluated(
        a=report(captions={"CIDEr-D": 0.4, "BLEU-4": 0.2, "METEOR": None}, model={"perplexity": 20.0}),
        b=report(captions={"distinct": 0.5, "BLEU-1": 0.6, "METEOR": float("nan")}, model={"retrieval": RETRIEVAL}),
    )
    assert {title: [column.heading for column in own] for title, own in tables(some).items()} == {
        "captions of whole images": ["BLEU-1", "BLEU-4", "CIDEr-D", "distinct"],
        "what was annotated, read to the model": ["perplexity"],
        "sentences found by images": ["R@1", "R@5", "R@10", "median rank"],
        "images found by sentences": ["R@1", "R@5", "R@10", "median rank"],
    }


def test_dense_captioning_by_convention_and_protocol() -> None:
    own = dense_report(standard=(0.06, 0.3), densecap2016=(0.05, 0.25))
    own["protocols"]["predicted"]["language_meteor"] = {"METEOR": 0.28, "captions": 7}
    own["protocols"]["truth"] = {
        "dense_map": {"standard": {"figures": {"dense_mAP": 0.4, "detection_mAP": 1.0}}},
        "captions": {"captions": 3, "references": 4, "BLEU-4": 0.1, "distinct": 1 / 3},
    }
    own["model"] = {"proposal_recall": {"recall@1000_iou0.5": 0.9, "recall@100_iou0.7": 0.4, "recall@100_iou0.5": 0.7}}
    found = {column.key: column.text(own) for column in columns(evaluated(a=own))}
    assert list(found.items()) == [
        ("truth/BLEU-4", "0.1000"),
        ("truth/distinct", "0.3333"),
        ("predicted/standard/dense_mAP", "0.0600"),
        ("predicted/densecap2016/dense_mAP", "0.0500"),
        ("predicted/language_meteor/METEOR", "0.2800"),
        ("predicted/standard/detection_mAP", "0.3000"),
        ("predicted/densecap2016/detection_mAP", "0.2500"),
        ("truth/standard/dense_mAP", "0.4000"),
        ("truth/standard/detection_mAP", "1.0000"),
        ("recall@100_iou0.5", "0.7000"),
        ("recall@100_iou0.7", "0.4000"),
        ("recall@1000_iou0.5", "0.9000"),
    ]


@pytest.mark.parametrize(
    ("figures", "lower", "expected"),
    [
        ([0.1, 0.3, 0.2], False, [False, True, False]),
        ([0.1, 0.3, 0.2], True, [True, False, False]),
        ([0.30001, None, 0.30002, 0.2], False, [True, False, True, False]),  # the same as far as it is shown
        ([0.3, None], False, [False, False]),
        ([0.3, 0.3], False, [False, False]),
        ([9.5, 10.0], False, [False, True]),  # as numbers, not as text
    ],
)
def test_the_best_figure(figures, lower, expected) -> None:
    column = Column("", "", ("figure",), lower_is_better=lower)
    assert best(column, [Evaluated("", Path(), {"figure": value}) for value in figures]) == expected


def test_only_perplexity_and_ranks_are_better_when_lower() -> None:
    full = report(captions={"BLEU-1": 0.1, "distinct": 0.1}, model={"perplexity": 9.0, "retrieval": RETRIEVAL})
    lower = [column.key for column in columns(evaluated(a=full)) if column.lower_is_better]
    assert lower == ["perplexity", "sentence_from_image/median_rank", "image_from_sentence/median_rank"]


def changed(**data) -> dict:
    """The report of ``report`` with other data."""
    own = report(captions={"BLEU-4": 0.1})
    own["data"].update(data)
    return own


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"name": "coco"}, "data set (flickr8k in a and b; coco in c)"),
        ({"split": "val"}, "split (test in a and b; val in c)"),
        ({"images": 99, "regions": 495}, "number of images (1,000 in a and b; 99 in c)"),  # and so their references
        ({"sources": {"a.txt": "2e"}}, "annotation files (a.txt)"),
        ({"sources": {"a.txt": "1f", "b.txt": "1f"}}, "annotation files (b.txt)"),
        ({"regions": 4990}, "kept references (5,000 in a and b; 4,990 in c)"),
        (
            {"split": "val", "images": 7},
            "split (test in a and b; val in c), number of images (1,000 in a and b; 7 in c)",
        ),
        ({"sources": {}}, None),  # not known is not different
        ({"file": "elsewhere.h5"}, None),
    ],
)
def test_what_differs_is_named(data, sentence) -> None:
    first = report(captions={"BLEU-4": 0.1})
    said = differences(evaluated(a=first, b=first, c=changed(**data)))
    assert said == ("" if sentence is None else f"not comparable, the evaluations differ in {sentence}")


def test_references_that_were_left_out_or_mapped_differ() -> None:
    fewer = report(captions={"references": 4998})
    said = differences(evaluated(a=fewer, b=report(captions={"BLEU-4": 0.1}), c=dense_report(standard=(0.1, 0.2))))
    assert said.endswith("differ in references of whole images (4,998 in a; 5,000 in b)")
    mapped, raw = dense_report(densecap2016=(0.1, 0.2)), dense_report("as annotated", densecap2016=(0.1, 0.2))
    assert differences(evaluated(a=mapped, b=raw)).endswith(
        "differ in references of densecap2016 (mapped to the vocabulary in a; as annotated in b)"
    )


def test_of_many_evaluations_a_few_are_named() -> None:
    many = {f"e{number}": changed(split="val" if number < 5 else "test") for number in range(6)}
    assert "split (val in e0, e1, e2 and 2 more; test in e5)" in differences(evaluated(**many))


FULL = {name: 0.123 for name in ("BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "METEOR", "ROUGE-L", "CIDEr-D", "distinct")}


def test_tables_show_every_figure_or_a_dash() -> None:
    short = report(captions={"BLEU-4": 0.25}, model={"perplexity": 12.345})
    lines = [line.split() for line in printed(evaluated(beam5=report(captions=FULL), greedy=short)).splitlines()]
    assert lines[0] == ["flickr8k,", "split", "test:", "1,000", "images"]
    assert ["BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "METEOR", "ROUGE-L", "CIDEr-D", "distinct"] in lines
    assert ["beam5", *["0.1230"] * 8] in lines
    assert ["greedy", "-", "-", "-", "0.2500", *["-"] * 4] in lines
    assert ["beam5", "-"] in lines and ["greedy", "12.35"] in lines


def test_what_forbids_comparing_is_the_first_line() -> None:
    text = printed(evaluated(a=report(), b=changed(split="val")))
    assert text.splitlines()[0] == "not comparable, the evaluations differ in split (test in a; val in b)"


@pytest.mark.parametrize(
    ("width", "name", "continued"),
    [(40, "a_run_with_a_name_of_forty_characters_xx", True), (80, "b5", True), (100, "a_run_of_19_letters", False)],
)
def test_no_line_is_wider_than_the_terminal_and_no_figure_is_cut(width: int, name: str, continued: bool) -> None:
    full = {f"recall@{count}_iou{overlap}": 0.123 for count in (100, 200, 300) for overlap in (0.5, 0.7, 0.9)}
    text = printed(evaluated(**{name: report(captions=FULL, model={"proposal_recall": full}), "b": report()}), width)
    assert max(map(len, text.splitlines()[1:])) <= width
    assert text.count("0.1230") == 8 + 9 and "…" not in text
    assert (", continued" in text) is continued


def test_without_any_figure_that_is_said() -> None:
    assert "there is no figure" in printed(evaluated(a=report()))


def test_markdown_has_the_same_tables_with_the_best_in_bold() -> None:
    some = {"a|b": report(captions={"BLEU-4": 0.25}, model={"perplexity": 20.0}), "c_d": report(model={})}
    some["c_d"] |= {"protocols": {"images": {"captions": {"BLEU-4": 0.5}}}, "model": {"perplexity": 30.0}}
    assert as_markdown(evaluated(**some)).splitlines() == [
        "flickr8k, split test: 1,000 images",
        "",
        "**captions of whole images**",
        "",
        "| evaluation | BLEU-4 |",
        "| --- | ---: |",
        r"| a\|b | 0.2500 |",
        "| c_d | **0.5000** |",
        "",
        "**what was annotated, read to the model**",
        "",
        "| evaluation | perplexity |",
        "| --- | ---: |",
        r"| a\|b | **20.00** |",
        "| c_d | 30.00 |",
    ]


def test_csv_and_json_hold_the_figures_in_full() -> None:
    some = evaluated(**{"a, b": report(captions={"BLEU-4": 1 / 3}), "c": dense_report(standard=(2 / 7, 0.5))})
    head = {"data": "flickr8k", "split": "test", "images": 1000}
    expected = [
        {"evaluation": "a, b", "report": str(Path("outputs/a, b/report.json")), **head, "images/BLEU-4": 1 / 3},
        {"evaluation": "c", "report": str(Path("outputs/c/report.json")), **head, "images/BLEU-4": None},
    ]
    for row, pair in zip(expected, [(None, None), (2 / 7, 0.5)]):
        row |= dict(zip(("predicted/standard/dense_mAP", "predicted/standard/detection_mAP"), pair))
    assert rows(some) == json.loads(as_json(some)) == expected
    texts = [{key: "" if value is None else str(value) for key, value in row.items()} for row in expected]
    assert list(csv.DictReader(io.StringIO(as_csv(some)))) == texts


def test_sections_of_the_wrong_kind_are_figures_that_are_missing() -> None:
    odd = report(protocols={"images": 3, "truth": {"captions": [1], "dense_map": "x"}}, model={"perplexity": "high"})
    assert columns(evaluated(a=odd)) == []
    assert [column.text(odd) for column in columns(evaluated(a=odd, b=report(captions={"BLEU-4": 1})))] == ["-"]
