"""METEOR in Python beside the Java scorer, and what it takes to start."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any

import numpy as np

from densecap.benchmark.metrics.fresh import measure_fresh
from densecap.benchmark.metrics.java_tools import JarProtocol
from densecap.benchmark.metrics.rows import MetricRow
from densecap.benchmark.metrics.sizes import Sizes
from densecap.benchmark.metrics.text import caption_sets, phrase_pairs
from densecap.metrics.meteor import Meteor
from densecap.metrics.meteor.items import Item

_WARM_UP = 3000


def meteor_phrases(sizes: Sizes) -> Iterator[MetricRow]:
    """Region phrases with one reference. Errors: MeteorUnavailable without Java or the data of METEOR."""
    given = sizes.given_phrases()
    items = phrase_pairs(sizes.phrase_pairs, sizes.seed, given)
    warm_up = phrase_pairs(min(_WARM_UP, len(items)), sizes.seed + 1, given)
    what = f"METEOR, {len(items):,} phrases, 1 process"
    with closing(JarProtocol()) as java, Meteor() as meteor:
        rate, scores = _rate(meteor.score_pairs, items, warm_up, len(items), sizes)
        theirs, expected = _rate(java.score_pairs, items, warm_up, len(items), sizes)
    yield MetricRow("meteor_phrases", what, rate, "pairs/s", "ratio", 5.0, theirs, _difference(scores, expected))


def meteor_captions(sizes: Sizes) -> Iterator[MetricRow]:
    """Captions with five references, on one process and on several. Errors: as above."""
    items = list(zip(*caption_sets(sizes.caption_images, sizes.seed)))
    warm_up = list(zip(*caption_sets(min(_WARM_UP, len(items)), sizes.seed + 1)))
    pairs = 5 * len(items)
    with closing(JarProtocol()) as java:
        theirs, expected = _rate(java.score_pairs, items, warm_up, pairs, sizes)
    for processes, bar in ((1, 0.7), (sizes.processes, 1.0)):
        with Meteor(processes=processes) as meteor:
            rate, scores = _rate(meteor.score_pairs, items, warm_up, pairs, sizes)
        count = "1 process" if processes == 1 else f"{processes} processes"
        what = f"METEOR, {len(items):,} captions x 5 references, {count}"
        yield MetricRow("meteor_captions", what, rate, "pairs/s", "ratio", bar, theirs, _difference(scores, expected))


def meteor_start(sizes: Sizes) -> Iterator[MetricRow]:
    """A fresh process, once the index exists: time to the first score, and memory after many."""
    Meteor().close()
    first = [measure_fresh(__name__, "first_score") for _ in range(max(sizes.repeats, 1))]
    seconds = min(item["seconds"] for item in first)
    note = "from the import to the first score, in a new process"
    yield MetricRow("meteor_start", "METEOR, warm start", seconds, "s", "most", 0.5, note=note)
    many: dict[str, Any] = {"phrase_count": sizes.phrase_pairs, "caption_count": sizes.caption_images}
    peak = measure_fresh(__name__, "many_scores", seed=sizes.seed, **many)["peak_memory"]
    what = f"METEOR, memory after {sizes.phrase_pairs:,} phrases and {sizes.caption_images:,} captions x 5"
    note = "largest resident memory of a process of its own, the pages of the index that it touched included"
    yield MetricRow("meteor_start", what, peak / 1e6, "MB", "most", 300.0, note=note)


def first_score() -> dict[str, float]:
    """Seconds until METEOR has scored a pair."""
    start = time.perf_counter()
    with Meteor() as meteor:
        meteor.score_pairs([("two dogs run on a beach", ["a dog is running along the shore"])])
    return {"seconds": time.perf_counter() - start}


def many_scores(seed: int, phrase_count: int, caption_count: int) -> dict[str, float]:
    """The mean score of phrases and captions, all scored by one process."""
    items = [*phrase_pairs(phrase_count, seed), *zip(*caption_sets(caption_count, seed))]
    with Meteor() as meteor:
        return {"mean": float(meteor.score_pairs(items).mean())}


def _rate(
    score: Callable[[Sequence[Item]], Sequence[float] | np.ndarray],
    items: Sequence[Item],
    warm_up: Sequence[Item],
    pairs: int,
    sizes: Sizes,
) -> tuple[float, np.ndarray]:
    """Pairs a second after other pairs to warm up, and the scores."""
    score(warm_up)
    found: list[np.ndarray] = []
    seconds = sizes.effort.best(lambda: found.append(np.asarray(score(items))))
    return pairs / seconds, found[0]


def _difference(scores: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(scores - expected).max())
