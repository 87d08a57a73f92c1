"""Dense captioning mAP of a split, under one or several conventions at once."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from densecap.metrics.dense_map.average_precision import interpolated_precision, ranks_of
from densecap.metrics.dense_map.conventions import (
    CONVENTIONS,
    IOU_THRESHOLDS,
    METEOR_THRESHOLDS,
    Convention,
    convention_of,
)
from densecap.metrics.dense_map.geometry import Integers
from densecap.metrics.dense_map.language import Pair, PairScorer, TruthPhrases, score_pairs
from densecap.metrics.dense_map.matching import ImageLayout, ImageMatches, lay_out, match_layout
from densecap.metrics.dense_map.records import DenseRecord, Floats
from densecap.text.vocabulary import Vocabulary


@dataclass(frozen=True)
class JudgedImage:
    """What one image adds to the figures of one convention: ``matches`` and ``meteor`` (P,) of its possible hits."""

    image_id: str
    matches: ImageMatches
    meteor: Floats


@dataclass(frozen=True)
class DenseScore:
    """The figures of one split under one convention.

    ``precision`` (1 + 6, 5, L): interpolated precision at the convention's L recall levels, first for detection alone,
    then for each of ``METEOR_THRESHOLDS``, at each of ``IOU_THRESHOLDS``; average precision is its mean. All figures
    are NaN when the split has no truths. ``num_truths`` counts merged truths.
    """

    convention: str
    references: str
    num_images: int
    num_detections: int
    num_truths: int
    precision: Floats

    @property
    def ap(self) -> Floats:
        """(5, 6) average precision at each overlap and METEOR threshold."""
        return self.precision[1:].mean(axis=-1).T

    @property
    def detection_ap(self) -> Floats:
        """(5,) average precision at each overlap, whatever the words."""
        return self.precision[0].mean(axis=-1)

    @property
    def mean_ap(self) -> float:
        """Dense captioning mAP: the mean of all 30."""
        return float(self.ap.mean())

    @property
    def detection_mean_ap(self) -> float:
        return float(self.detection_ap.mean())

    def figures(self) -> dict[str, float]:
        """All 37 figures by name: dense_mAP, detection_mAP, AP_iou0.3, ..., AP_iou0.3_meteor0.05, ..."""
        cells = {f"AP_iou{iou}": float(value) for iou, value in zip(IOU_THRESHOLDS, self.detection_ap)}
        for iou, row in zip(IOU_THRESHOLDS, self.ap):
            cells |= {f"AP_iou{iou}_meteor{score:g}": float(value) for score, value in zip(METEOR_THRESHOLDS, row)}
        return {"dense_mAP": self.mean_ap, "detection_mAP": self.detection_mean_ap, **cells}


def score_dense_captions(
    records: Iterable[DenseRecord],
    scorer: PairScorer,
    conventions: Sequence[str] = tuple(CONVENTIONS),
    vocabulary: Vocabulary | None = None,
) -> dict[str, DenseScore]:
    """Dense captioning mAP of a split under each of the named conventions.

    ``scorer`` is METEOR or whatever else gives a number per (candidate, references) pair; it is called once.
    ``vocabulary`` is that of the model, for the convention that maps references to it; without one they stay as
    annotated, which ``DenseScore.references`` says. Errors: UserError for an unknown convention.
    """
    judged = judge_images(records, scorer, conventions, vocabulary)
    return {name: dense_score(images, name, vocabulary is not None) for name, images in judged.items()}


def judge_images(
    records: Iterable[DenseRecord],
    scorer: PairScorer,
    conventions: Sequence[str] = tuple(CONVENTIONS),
    vocabulary: Vocabulary | None = None,
) -> dict[str, list[JudgedImage]]:
    """Match every image under every convention and score the words of what may be right."""
    chosen = [convention_of(name) for name in conventions]
    with collection_paused():
        return _judge(records, scorer, chosen, vocabulary)


@contextmanager
def collection_paused() -> Iterator[None]:
    """Python's search for cycles waits: millions of pairs without any would be looked through again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _judge(
    records: Iterable[DenseRecord], scorer: PairScorer, chosen: Sequence[Convention], vocabulary: Vocabulary | None
) -> dict[str, list[JudgedImage]]:
    matched, pairs = [], []
    for record in records:
        for convention, (matches, words) in zip(chosen, match_image(record, chosen, vocabulary)):
            pairs += words
            matched.append((convention, record.image_id, matches))
    scores = score_pairs(pairs, scorer)
    judged: dict[str, list[JudgedImage]] = {convention.name: [] for convention in chosen}
    start = 0
    for convention, image_id, matches in matched:
        stop = start + len(matches.detection)
        judged[convention.name].append(JudgedImage(image_id, matches, scores[start:stop]))
        start = stop
    return judged


def match_image(
    record: DenseRecord, conventions: Sequence[Convention], vocabulary: Vocabulary | None = None
) -> list[tuple[ImageMatches, list[Pair]]]:
    """Per convention the matches of one image, and the caption pairs that decide about them."""
    layouts: dict[tuple[int | None, float], ImageLayout] = {}
    phrases: dict[tuple[int | None, float, bool], TruthPhrases] = {}
    found = []
    for rules in conventions:
        geometry, mapped = (rules.image_size, rules.pixel), rules.maps_to_vocabulary and vocabulary is not None
        if geometry not in layouts:
            layouts[geometry] = lay_out(record, rules)
        if (*geometry, mapped) not in phrases:
            phrases[(*geometry, mapped)] = TruthPhrases(record, layouts[geometry], vocabulary if mapped else None)
        matches = match_layout(layouts[geometry], rules)
        found.append((matches, phrases[(*geometry, mapped)].pairs(matches)))
    return found


def dense_score(images: Sequence[JudgedImage], convention: str, has_vocabulary: bool = False) -> DenseScore:
    """The figures of judged images; ``has_vocabulary`` says whether there was one to map references to."""
    rules = convention_of(convention)
    mapped = rules.maps_to_vocabulary and has_vocabulary
    return DenseScore(
        convention,
        "mapped to the vocabulary" if mapped else "as annotated",
        num_images=len(images),
        num_detections=sum(len(image.matches.scores) for image in images),
        num_truths=sum(image.matches.num_truths for image in images),
        precision=_precision(images, rules),
    )


def _precision(images: Sequence[JudgedImage], convention: Convention) -> Floats:
    """(7, 5, L) interpolated precision, for METEOR above -1 (detection alone) and the six thresholds."""
    ranks, claims, meteor = _possible_hits(images)
    num_truths = sum(image.matches.num_truths for image in images)
    return np.array(
        [
            [interpolated_precision(ranks[row & (meteor > floor)], num_truths, convention.levels) for row in claims]
            for floor in (-1.0, *METEOR_THRESHOLDS)
        ]
    )


def _possible_hits(images: Sequence[JudgedImage]) -> tuple[Integers, np.ndarray, Floats]:
    """Ranks (P,) ascending of the possible true positives of all images, their claims (5, P) and METEOR (P,)."""
    if not images:
        return np.zeros(0, np.int64), np.zeros((len(IOU_THRESHOLDS), 0), bool), np.zeros(0)
    starts = np.cumsum([0] + [len(image.matches.scores) for image in images])
    rows = np.concatenate([start + image.matches.detection for start, image in zip(starts, images)])
    ranks = ranks_of(np.concatenate([image.matches.scores for image in images]))[rows]
    order = np.argsort(ranks)
    claims = np.concatenate([image.matches.claims for image in images], axis=1)
    return ranks[order], claims[:, order], np.concatenate([image.meteor for image in images])[order]
