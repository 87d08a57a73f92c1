"""BLEU and CIDEr-D, ROUGE-L and the tokenizer beside those of pycocoevalcap."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from itertools import chain, islice
from typing import Any

import numpy as np

from densecap.benchmark.metrics.java_tools import tokenize_with_java
from densecap.benchmark.metrics.rows import MetricRow
from densecap.benchmark.metrics.sizes import Sizes
from densecap.benchmark.metrics.text import caption_sets
from densecap.metrics.bleu import bleu_of_ngrams
from densecap.metrics.cider import cider_of_ngrams
from densecap.metrics.meteor.resources import find_java
from densecap.metrics.ngrams import count_ngrams
from densecap.metrics.rouge_l import rouge_l
from densecap.metrics.tokenizer import tokenize_all

#: (per image scores of ours and theirs, whatever they are) in one row each.
Scores = list[np.ndarray]


def bleu_cider(sizes: Sizes) -> Iterator[MetricRow]:
    """BLEU-1 to BLEU-4 and CIDEr-D of the same captions together."""
    for count in sizes.images:
        yield _row("bleu_cider", "BLEU-1..4 and CIDEr-D", count, 8.0, _own_bleu_cider, _their_bleu_cider, sizes)


def rouge(sizes: Sizes) -> Iterator[MetricRow]:
    """ROUGE-L."""
    for count in sizes.images:
        yield _row("rouge_l", "ROUGE-L", count, 10.0, _own_rouge, _their_rouge, sizes)


def tokenizer(sizes: Sizes) -> Iterator[MetricRow]:
    """The tokenizer on captions that begin with a capital. Errors: MeteorUnavailable without Java."""
    find_java()
    for count in sizes.tokenizer_captions:
        candidates, references = caption_sets(count // 6 + 1, sizes.seed)
        captions = [text.capitalize() for text in islice(chain(candidates, *references), count)]
        yield _tokenizer_row(captions, sizes)


def _tokenizer_row(captions: list[str], sizes: Sizes) -> MetricRow:
    own, theirs = tokenize_all(captions), tokenize_with_java(captions)
    unequal = sum(left != right for left, right in zip(own, theirs, strict=True))
    count = len(captions)
    return MetricRow(
        "tokenizer",
        f"tokenizer, {count:,} captions",
        count / sizes.effort.best(lambda: tokenize_all(captions)),
        "captions/s",
        "ratio",
        1.0 if count <= 1000 else 0.5,
        other=count / sizes.effort.best(lambda: tokenize_with_java(captions)),
        difference=unequal / count,
        note="theirs includes the start of Java; difference: share of captions that are cut otherwise",
    )


def _row(
    part: str,
    name: str,
    count: int,
    bar: float,
    own: Callable[..., Scores],
    theirs: Callable[..., Scores],
    sizes: Sizes,
) -> MetricRow:
    candidates, references = caption_sets(count, sizes.seed)
    rate = count / sizes.effort.best(lambda: own(candidates, references))
    what = f"{name}, {count:,} images x 5 references"
    if find_spec("pycocoevalcap") is None:
        return MetricRow(part, what, rate, "images/s", "ratio", bar, note="pycocoevalcap is not installed")
    truth = dict(enumerate(references))
    found = {number: [text] for number, text in enumerate(candidates)}
    expected: Scores = []
    seconds = sizes.effort.best(lambda: expected.__setitem__(slice(None), theirs(truth, found)))
    pairs = zip(own(candidates, references), expected, strict=True)
    difference = max(float(np.abs(left - right).max()) for left, right in pairs)
    return MetricRow(part, what, rate, "images/s", "ratio", bar, count / seconds, difference)


def _own_bleu_cider(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> Scores:
    ngrams = count_ngrams(candidates, references)
    bleu, cider = bleu_of_ngrams(ngrams), cider_of_ngrams(ngrams)
    return [bleu.corpus, bleu.images.T, np.array(cider.corpus), cider.images]


def _their_bleu_cider(truth: dict[int, Any], found: dict[int, Any]) -> Scores:
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider

    results = [*Bleu(4).compute_score(truth, found, verbose=0), *Cider().compute_score(truth, found)]
    return [np.array(item) for item in results]


def _own_rouge(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> Scores:
    score = rouge_l(candidates, references)
    return [np.array(score.corpus), score.images]


def _their_rouge(truth: dict[int, Any], found: dict[int, Any]) -> Scores:
    from pycocoevalcap.rouge.rouge import Rouge

    return [np.array(item) for item in Rouge().compute_score(truth, found)]
