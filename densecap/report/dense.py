"""The parts of the page about dense captioning mAP."""

from __future__ import annotations

from collections.abc import Iterator

from densecap.evaluation.result import Evaluation
from densecap.metrics.dense_map.analysis import image_fates, image_mean_ap
from densecap.metrics.dense_map.losses import losses
from densecap.report.choice import best_and_worst
from densecap.report.curves import precision_recall
from densecap.report.gallery import gallery, shot
from densecap.report.heat_map import brightest_cell, heat_map
from densecap.report.markup import Html, element, section, tabs
from densecap.report.mistakes import fates, where_points_go


def main_convention(evaluation: Evaluation) -> str:
    """The convention that errors are told by: ``standard`` where it was computed."""
    return "standard" if "standard" in evaluation.scores else next(iter(evaluation.scores))


def dense_sections(evaluation: Evaluation, num_images: int) -> Iterator[Html]:
    """Figures, errors and images, in the order of the page."""
    shown = main_convention(evaluation)
    scores = {shown: evaluation.scores[shown]} | evaluation.scores
    brightest = brightest_cell(list(scores.values()))
    panels = [(name, [heat_map(score, brightest), precision_recall(score)]) for name, score in scores.items()]
    yield section(
        "dense",
        "Overlap and language",
        "Average precision of the described boxes for every overlap and language score that a hit must reach, "
        "and the precision–recall curves it is the mean of.",
        tabs("convention", panels, label="convention"),
    )
    yield from _errors(evaluation, shown, num_images)


def _errors(evaluation: Evaluation, name: str, num_images: int) -> Iterator[Html]:
    judged, records = evaluation.judged[name], evaluation.records
    told = [image_fates(record, image, name) for record, image in zip(records, judged)]
    rules = f"Under the convention {name}. "
    yield section(
        "errors",
        "Where the points are lost",
        rules + "What separates dense mAP from 1, shared out among its causes: language and localization each get the "
        "mean of what perfect words or perfect boxes would gain, before and after the other.",
        where_points_go(losses(evaluation.scores[name], judged)),
    )
    yield section(
        "fates",
        "What became of boxes and truths",
        rules + "Each box and each truth counts once, at IoU 0.5 and METEOR 0.15.",
        fates(records, told),
    )
    values = [image_mean_ap(image, name) for image in judged]
    chosen = best_and_worst(values, [image.matches.num_truths for image in judged], num_images)
    for title, anchor, places in zip(("Best images", "Worst images"), ("best", "worst"), chosen):
        shots = [shot(records[place], evaluation.load_image, told[place], values[place]) for place in places]
        yield section(
            anchor,
            title,
            rules + "By the dense mAP of each image alone; of equal ones those with more truths first.",
            gallery(anchor, shots) if shots else element("p", "No image has truths.", class_="undefined"),
        )
