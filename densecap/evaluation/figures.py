"""The figures of records: dense mAP and detection, captions, language alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from densecap.errors import UserError
from densecap.metrics.bleu import bleu_of_ngrams
from densecap.metrics.caption_use import CaptionUse
from densecap.metrics.cider import cider_of_ngrams
from densecap.metrics.dense_map.conventions import CONVENTIONS
from densecap.metrics.dense_map.evaluation import DenseScore, JudgedImage, dense_score, judge_images
from densecap.metrics.dense_map.language import plain_text
from densecap.metrics.dense_map.records import DenseRecord
from densecap.metrics.examined import references_of_boxes
from densecap.metrics.language_meteor import language_meteor
from densecap.metrics.meteor import Meteor
from densecap.metrics.ngrams import count_ngrams
from densecap.metrics.rouge_l import rouge_l
from densecap.metrics.tokenizer import tokenize_all
from densecap.text.vocabulary import Vocabulary

#: What ``metric`` may ask for, and what each is.
METRICS = {
    "dense_map": "dense captioning mAP; without METEOR detection mAP alone",
    "detection": "detection mAP alone, of the same boxes",
    "bleu": "BLEU-1 to BLEU-4",
    "cider": "CIDEr-D",
    "rouge_l": "ROUGE-L",
    "meteor": "METEOR 1.5 of captions with their references",
    "language_meteor": "the paper's language-only METEOR, wherever the boxes are",
    "proposal_recall": "share of true boxes among the proposals (with a model)",
    "perplexity": "of the true captions (with a model)",
    "retrieval": "recall and median rank of sentences from images and images from sentences (with a model)",
}
NEEDS_METEOR = ("dense_map", "meteor", "language_meteor")
NEEDS_BOXES = ("dense_map", "detection", "language_meteor")
NEEDS_MODEL = ("proposal_recall", "perplexity", "retrieval")
CAPTION_METRICS = ("bleu", "cider", "rouge_l", "meteor")


@dataclass(frozen=True)
class Choice:
    """What is to be measured; ``language_captions`` best captions an image count for language_meteor, None for all.

    Errors: UserError for a name that does not exist.
    """

    metrics: tuple[str, ...] = tuple(METRICS)
    conventions: tuple[str, ...] = tuple(CONVENTIONS)
    protocol: str = "both"
    language_captions: int | None = 100

    def __post_init__(self) -> None:
        for key, chosen, known in (
            ("metric", self.metrics, tuple(METRICS)),
            ("convention", self.conventions, tuple(CONVENTIONS)),
            ("protocol", (self.protocol,), ("predicted", "truth", "both")),
        ):
            unknown = [str(name) for name in chosen if name not in known]
            if unknown or not chosen:
                raise UserError(f"{key} holds {', '.join(unknown) or 'nothing'}: choose among {', '.join(known)}")
        most = self.language_captions
        if most is not None and (not isinstance(most, int) or most < 1):
            raise UserError(f"language_captions is a whole number above 0, or null for all, got {most}")

    def asks(self, *names: str) -> bool:
        return any(name in self.metrics for name in names)

    @property
    def protocols(self) -> tuple[str, ...]:
        return ("predicted", "truth") if self.protocol == "both" else (self.protocol,)


@dataclass
class Dense:
    """Dense mAP of one protocol: per convention what the page needs, and the plain figures."""

    judged: dict[str, list[JudgedImage]] = field(default_factory=dict)
    scores: dict[str, DenseScore] = field(default_factory=dict)
    figures: dict[str, dict[str, Any]] = field(default_factory=dict)


def dense_figures(
    records: Sequence[DenseRecord], choice: Choice, meteor: Meteor | None, vocabulary: Vocabulary | None
) -> Dense:
    """All 37 figures per convention, or without METEOR those of detection alone; nothing when not asked for."""
    if not choice.asks("dense_map", "detection"):
        return Dense()
    words = meteor if choice.asks("dense_map") else None
    scorer = (lambda pairs: np.zeros(len(pairs))) if words is None else words.score_pairs
    judged = judge_images(records, scorer, choice.conventions, vocabulary)
    scores = {name: dense_score(images, name, vocabulary is not None) for name, images in judged.items()}
    figures = {name: _plain(score, words is not None) for name, score in scores.items()}
    return Dense(judged, scores, figures) if words is not None else Dense(figures=figures)


def _plain(score: DenseScore, with_words: bool) -> dict[str, Any]:
    figures = score.figures()
    if not with_words:
        figures = {name: value for name, value in figures.items() if name != "dense_mAP" and "meteor" not in name}
    counts = {name: getattr(score, name) for name in ("references", "num_images", "num_detections", "num_truths")}
    return {**counts, "figures": figures}


def caption_figures(
    candidates: Sequence[str], references: Sequence[Sequence[str]], choice: Choice, meteor: Meteor | None
) -> dict[str, Any]:
    """BLEU, CIDEr-D, ROUGE-L and METEOR of N captions, as the COCO evaluation tokenizes; those without a reference
    are left out. ``captions`` counts what was compared, ``distinct`` is the share of different ones among them.
    """
    rows = [(text, [phrase for phrase in own if phrase.strip()]) for text, own in zip(candidates, references)]
    rows = [row for row in rows if row[1]]
    words = tokenize_all([plain_text(text) for text, _ in rows])
    others = [tokenize_all(map(plain_text, own)) for _, own in rows]
    figures: dict[str, Any] = {"captions": len(rows), "references": sum(map(len, others))}
    if not rows:
        return figures
    ngrams = count_ngrams(words, others) if choice.asks("bleu", "cider") else None
    if ngrams is not None and choice.asks("bleu"):
        figures |= {f"BLEU-{order}": float(value) for order, value in enumerate(bleu_of_ngrams(ngrams).corpus, 1)}
    if ngrams is not None and choice.asks("cider"):
        figures["CIDEr-D"] = float(cider_of_ngrams(ngrams).corpus)
    if choice.asks("rouge_l"):
        figures["ROUGE-L"] = rouge_l(words, others).corpus
    if choice.asks("meteor") and meteor is not None:
        figures["METEOR"] = meteor.corpus(list(zip(words, others)))
    figures["distinct"] = CaptionUse.of(text for text, _ in rows).distinct_share
    return figures


def truth_captions(records: Sequence[DenseRecord]) -> tuple[list[str], list[list[str]]]:
    """Of records on true boxes: each caption, and the phrases of all true boxes that are merged with its own."""
    captions = [caption for record in records for caption in record.captions]
    references = [references_of_boxes(record.truth_boxes, record.truth_captions) for record in records]
    return captions, [phrases for own in references for phrases in own]


def language_figures(records: Sequence[DenseRecord], meteor: Meteor, most: int | None) -> dict[str, Any]:
    """Language-only METEOR over the ``most`` best captions of each image."""
    captions = []
    for record in records:
        best = np.argsort(-record.scores, kind="stable")[:most]
        captions.append([record.captions[row] for row in best.tolist()])
    score = language_meteor(captions, [record.truth_captions for record in records], meteor.score_pairs)
    return {"METEOR": score.mean, "captions": score.num_captions}
