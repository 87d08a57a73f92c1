"""Captions of whole images: the best and the worst, with what people said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from densecap.evaluation.result import Evaluation
from densecap.metrics.cider import cider
from densecap.metrics.dense_map.language import plain_text
from densecap.metrics.dense_map.records import DenseRecord
from densecap.metrics.tokenizer import tokenize_all
from densecap.report.choice import best_and_worst
from densecap.report.gallery import shot, shots
from densecap.report.markup import Html, section


def whole_image_sections(evaluation: Evaluation, num_images: int) -> Iterator[Html]:
    """The images whose captions have most and least in common with those of people."""
    records = evaluation.records
    scores = caption_scores(records)
    chosen = best_and_worst(scores, [len(record.truth_captions) for record in records], num_images)
    for title, anchor, places in zip(("Best images", "Worst images"), ("best", "worst"), chosen):
        if places:
            found = [
                shot(records[place], evaluation.load_image, score=scores[place], score_name="CIDEr-D")
                for place in places
            ]
            yield section(anchor, title, "By the CIDEr-D of each caption alone.", shots(found))


def caption_scores(records: Sequence[DenseRecord]) -> list[float]:
    """CIDEr-D of the first caption of each image, 0 without one; NaN for an image that people did not describe."""
    references = [tokenize_all([plain_text(text) for text in own.truth_captions if text.strip()]) for own in records]
    rows = [row for row, own in enumerate(references) if own]
    captions = [plain_text(own.captions[0]) if own.captions else "" for own in records]
    scores = np.full(len(records), np.nan)
    if rows:
        scores[rows] = cider(tokenize_all([captions[row] for row in rows]), [references[row] for row in rows]).images
    return scores.tolist()
