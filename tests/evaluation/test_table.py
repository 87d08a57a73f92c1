"""The tables on the terminal: every figure of the report under its name, and what to be wary of."""

import io

from rich.console import Console

from densecap.evaluation.table import number, show

COUNTS = {"references": "as annotated", "num_images": 1, "num_detections": 2, "num_truths": 1}
REPORT = {
    "data": {"name": "photos", "split": "val", "images": 1, "regions": 1234},
    "protocols": {
        "predicted": {
            "boxes_kept": 2000,
            "dense_map": {
                "densecap2016": {**COUNTS, "figures": {"dense_mAP": 0.12341, "detection_mAP": 0.5, "AP_iou0.3": 0.75}},
                "standard": {
                    **COUNTS,
                    "figures": {"dense_mAP": None, "detection_mAP": 0.25, "AP_iou0.3": float("nan")},
                },
            },
            "language_meteor": {"METEOR": 0.3, "captions": 1},
        },
        "truth": {"boxes_kept": 3, "dense_map": {}, "captions": {"captions": 3, "references": 1, "BLEU-4": 0.0625}},
    },
    "model": {
        "proposal_recall": {"recall@100_iou0.5": 0.5, "recall@100_iou0.7": 0.25, "recall@300_iou0.5": 0.75},
        "perplexity": 12.345,
    },
    "skipped": {"meteor": "install densecap[meteor]", "cider": "needs captions", "bleu": "install densecap[meteor]"},
    "warnings": ["a long warning " * 20, "[red]not markup"],
}


def printed(report: dict) -> list[str]:
    """Lines, those of tables as cells between bars."""
    output = io.StringIO()
    show(report, Console(file=output, width=100, highlight=False, markup=False))
    return [" ".join(line.translate(str.maketrans("│┃", "||")).split()) for line in output.getvalue().splitlines()]


def test_every_figure_stands_beside_its_name() -> None:
    lines = printed(REPORT)
    for expected in (
        "photos, split val: 1 image with 1,234 annotated regions",
        "predicted boxes, 2,000 kept",
        "| | densecap2016 | standard |",
        "| dense mAP | 0.1234 | - |",
        "| detection mAP | 0.5000 | 0.2500 |",
        "| AP at IoU 0.3 | 0.7500 | - |",
        "| references | as annotated | as annotated |",
        "language only, 1 caption against all phrases of their images",
        "captions for true boxes: 3 with 1 reference",
        "| BLEU-4 | 0.0625 |",
        "| proposals | IoU 0.5 | IoU 0.7 |",
        "| 100 | 0.5000 | 0.2500 |",
        "| 300 | 0.7500 | - |",
        "| perplexity | 12.35 |",
    ):
        assert expected in lines
    assert not any(line.startswith("| AP at IoU 0.4") for line in lines)


def test_what_is_missing_and_warnings_are_a_line_each() -> None:
    assert printed(REPORT)[-4:] == [
        "left out: meteor, bleu (install densecap[meteor])",
        "left out: cider (needs captions)",
        "note: " + ("a long warning " * 20).strip(),
        "note: [red]not markup",
    ]


def test_no_table_without_figures() -> None:
    images = {"captions": {"captions": 0, "references": 0}}
    assert printed({**REPORT, "protocols": {"images": images}, "model": None, "skipped": {}, "warnings": []}) == [
        "photos, split val: 1 image with 1,234 annotated captions"
    ]


def test_numbers_that_cannot_be_said() -> None:
    assert [number(value) for value in (None, float("nan"), 0.0, 1)] == ["-", "-", "0.0000", "1.0000"]
