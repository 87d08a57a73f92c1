"""Dense captioning mAP of a whole split, METEOR included, in a process of its own."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random

import numpy as np

from densecap.benchmark.metrics.fresh import measure_fresh
from densecap.benchmark.metrics.rows import MetricRow
from densecap.benchmark.metrics.sizes import Sizes
from densecap.benchmark.metrics.text import phrase, read_phrases, worn
from densecap.benchmark.metrics.words import PREPOSITIONS
from densecap.metrics.dense_map.conventions import CONVENTIONS
from densecap.metrics.dense_map.evaluation import match_image, score_dense_captions
from densecap.metrics.dense_map.records import DenseRecord
from densecap.metrics.meteor import Meteor
from densecap.text.cleaning import clean_words
from densecap.text.vocabulary import UNKNOWN, Vocabulary

WIDTH, HEIGHT = 800, 600
#: A word belongs to the vocabulary when truths hold it so often.
_OFTEN = 15


def dense_map(sizes: Sizes) -> Iterator[MetricRow]:
    """Time and memory of all three conventions together, and how they grow. Errors: MeteorUnavailable without data."""
    Meteor().close()
    seconds: dict[int, float] = {}
    for predictions in sorted(sizes.dense_predictions):
        found = measure_fresh(
            __name__,
            "score_split",
            seed=sizes.seed,
            images=sizes.dense_images,
            predictions=predictions,
            regions=sizes.dense_regions,
            phrases=sizes.phrases,
        )
        seconds[predictions] = found["seconds"]
        what = f"dense mAP, {sizes.dense_images:,} images x {predictions} predictions x {sizes.dense_regions} regions"
        note = f"three conventions, METEOR opened and used in one process; mAP {found['mean_ap']:.4f} (standard)"
        yield MetricRow("dense_map", what, found["seconds"], "s", "most", 20.0, note=note)
        yield MetricRow("dense_map", "  its memory", found["peak_memory"] / 1e6, "MB", "most", 1500.0)
        note = "of the candidate-reference pairs that METEOR is asked about"
        yield MetricRow("dense_map", "  distinct pairs", found["distinct"], "%", "least", 95.0, note=note)
    yield from _growth(seconds)


def score_split(seed: int, images: int, predictions: int, regions: int, phrases: str | None = None) -> dict[str, float]:
    """Seconds and mAP of a generated split, and the share (%) of distinct pairs; called in a process of its own."""
    records = make_records(seed, images, predictions, regions, read_phrases(phrases) if phrases else [])
    vocabulary = vocabulary_of(records)
    start = time.perf_counter()
    with Meteor() as meteor:
        scores = score_dense_captions(records, meteor.score_pairs, vocabulary=vocabulary)
    seconds = time.perf_counter() - start
    rules = [CONVENTIONS["standard"]]
    pairs = [pair for record in records for pair in match_image(record, rules)[0][1]]
    distinct = 100 * len(set(pairs)) / max(len(pairs), 1)
    return {"seconds": seconds, "mean_ap": scores["standard"].mean_ap, "distinct": distinct}


def make_records(
    seed: int, images: int, predictions: int, regions: int, phrases: Sequence[str] = ()
) -> list[DenseRecord]:
    """Images with truths all over them and predictions that are shifted truths, described almost as these are."""
    words, shapes = Random(f"dense {seed}"), np.random.default_rng(seed)
    return [_record(f"{number}", words, shapes, predictions, regions, phrases) for number in range(images)]


def _record(
    name: str, words: Random, shapes: np.random.Generator, predictions: int, regions: int, phrases: Sequence[str]
) -> DenseRecord:
    corners = shapes.uniform(0, 0.85, (regions, 2)) * (WIDTH, HEIGHT)
    sides = shapes.lognormal(-1.5, 0.8, (regions, 2)) * (WIDTH, HEIGHT)
    truth = np.concatenate((corners, np.minimum(corners + sides + 8, (WIDTH, HEIGHT))), axis=1)
    texts = [_truth_phrase(words, phrases) for _ in range(regions)]
    target = shapes.integers(0, regions, predictions)
    sides = truth[target, 2:] - truth[target, :2]
    shift = shapes.normal(0, 1, (predictions, 2, 2)) * shapes.uniform(0, 0.3, (predictions, 1, 1)) * sides[:, None]
    boxes = truth[target] + shift.reshape(predictions, 4)
    boxes = np.concatenate((np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])), axis=1)
    boxes = boxes.clip(0, np.tile((WIDTH, HEIGHT), 2))
    captions = [worn(words, texts[index], amount=2.3) for index in target.tolist()]
    return DenseRecord(name, WIDTH, HEIGHT, boxes, shapes.normal(size=predictions), captions, truth, texts)


def _truth_phrase(words: Random, phrases: Sequence[str]) -> str:
    """One of the grammar, or half of the time the beginning of a given one before the grammar's words for where."""
    own = phrase(words)
    if not phrases or words.random() < 0.5:
        return own
    beginning = words.choice(phrases).split()[:4]
    return " ".join([*beginning, words.choice(PREPOSITIONS), *own.split()[:3]])


def vocabulary_of(records: Sequence[DenseRecord]) -> Vocabulary:
    """The words that truths hold often, for the convention that knows no others."""
    counts = Counter(word for record in records for text in record.truth_captions for word in clean_words(text))
    return Vocabulary([*sorted(word for word, count in counts.items() if count >= _OFTEN), UNKNOWN])


def _growth(seconds: dict[int, float]) -> Iterator[MetricRow]:
    """How the time of the most predictions compares with that of the fewest, per prediction."""
    few, many = min(seconds), max(seconds)
    if few == many:
        return
    growth = (seconds[many] / many) / (seconds[few] / few)
    what = f"dense mAP, time a prediction with {many} of them, times that with {few}"
    yield MetricRow("dense_map", what, growth, "x", "most", 1.1, note="1 is linear growth, less grows more slowly")
