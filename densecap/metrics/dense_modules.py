"""The metrics of described boxes as torchmetrics classes: every image counts once, on any number of processes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from densecap.metrics.dense_map.conventions import convention_of
from densecap.metrics.dense_map.evaluation import DenseScore, JudgedImage, dense_score, match_image
from densecap.metrics.dense_map.language import PairScorer, score_pairs
from densecap.metrics.dense_map.records import DenseRecord
from densecap.metrics.detection import PROPOSAL_COUNTS, RECALL_IOUS, found_truths
from densecap.metrics.examined import Examined
from densecap.metrics.keyed import KeyedMetric
from densecap.metrics.language_meteor import language_meteor
from densecap.metrics.meteor.shared import METEOR_SCORES, MeteorScores
from densecap.text.vocabulary import Vocabulary


class DenseMapMetric(KeyedMetric):
    """Dense captioning mAP under one convention: all figures of ``DenseScore.figures`` as a dictionary.

    Images are matched in ``update``; the words of what may be right are scored by ``scorer`` (METEOR) in one go before
    processes exchange anything, each its own images. ``score()`` gives the whole ``DenseScore`` after ``compute``.
    Without a scorer (None) only the figures of detection are given, whatever the words.
    """

    judges_boxes = True

    def __init__(
        self,
        scorer: PairScorer | None = METEOR_SCORES,
        convention: str = "standard",
        vocabulary: Vocabulary | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.scorer = scorer
        self.figure = "detection_mAP" if scorer is None else "dense_mAP"
        self.convention = convention_of(convention)
        self.vocabulary = vocabulary
        self._score: DenseScore | None = None

    def problem(self) -> str | None:
        return self.scorer.problem() if isinstance(self.scorer, MeteorScores) else None

    def without_words(self) -> DenseMapMetric:
        return DenseMapMetric(None, self.convention.name, self.vocabulary)

    def take(self, image: Examined) -> None:
        """Add the predicted boxes of an image."""
        self.update([image.record])

    def is_worth_following(self, name: str) -> bool:
        """Dense mAP and detection mAP, without the cells they are means of."""
        return name.endswith("_mAP")

    def update(self, records: Iterable[DenseRecord]) -> None:
        """Add images with their predictions and truths."""
        for record in records:
            self.add(record.image_id, match_image(record, [self.convention], self.vocabulary)[0])

    def prepare(self) -> None:
        """Score the words of all images that have not been yet."""
        waiting = {key: record for key, record in self.records.items() if not isinstance(record, JudgedImage)}
        scores = score_pairs([pair for _, pairs in waiting.values() for pair in pairs], self.scorer or _no_scores)
        start = 0
        for key, (matches, pairs) in waiting.items():
            self.records[key] = JudgedImage(key, matches, scores[start : start + len(pairs)])
            start += len(pairs)

    def compute(self) -> dict[str, Tensor]:
        self._score = dense_score(self.ordered(), self.convention.name, self.vocabulary is not None)
        figures = self._score.figures()
        kept = [name for name in figures if self.scorer is not None or name != "dense_mAP" and "meteor" not in name]
        return {name: self.scalar(figures[name]) for name in kept}

    def score(self) -> DenseScore:
        """Everything of the last ``compute``, which is done now if it has not been."""
        if self._score is None or self._computed is None:
            self.compute()
        assert self._score is not None
        return self._score


def _no_scores(pairs: list[tuple[str, list[str]]]) -> np.ndarray:
    """Stands in where nothing compares words: detection alone counts hits of any score."""
    return np.zeros(len(pairs))


class LanguageMeteorMetric(KeyedMetric):
    """The paper's language-only METEOR: mean over all captions; an image leaves a sum and a count.

    ``max_captions``: only so many of the best captions of an image.
    """

    figure = "language_METEOR"

    judges_boxes = True

    def __init__(self, scorer: PairScorer = METEOR_SCORES, max_captions: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scorer = scorer
        self.max_captions = max_captions

    def problem(self) -> str | None:
        return self.scorer.problem() if isinstance(self.scorer, MeteorScores) else None

    def take(self, image: Examined) -> None:
        """Add the predicted captions of an image."""
        self.update([image.record])

    def update(self, records: Iterable[DenseRecord]) -> None:
        """Add images with their predictions and truths; boxes play no part."""
        for record in records:
            best = np.argsort(-record.scores, kind="stable")[: self.max_captions]
            self.add(record.image_id, ([record.captions[row] for row in best], list(record.truth_captions)))

    def prepare(self) -> None:
        """Score the captions of all images that have not been yet."""
        waiting = {key: record for key, record in self.records.items() if isinstance(record[0], list)}
        captions, references = ([record[part] for record in waiting.values()] for part in (0, 1))
        score = language_meteor(captions, references, self.scorer)
        self.records |= zip(waiting, zip(score.sums.tolist(), score.counts.tolist()))

    def compute(self) -> Tensor:
        rows = np.array(self.ordered(), np.float64).reshape(-1, 2)
        total, count = rows.sum(axis=0)
        return self.scalar(total / count if count else float("nan"))


class ProposalRecallMetric(KeyedMetric):
    """Share of truths that the first proposals find, as a dictionary of names like recall@100_iou0.5."""

    judges_boxes = True

    def __init__(
        self,
        counts: Sequence[int] = PROPOSAL_COUNTS,
        iou_thresholds: Sequence[float] = RECALL_IOUS,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.counts, self.iou_thresholds = tuple(counts), tuple(iou_thresholds)
        self.figure = f"recall@{self.counts[-1]}_iou{self.iou_thresholds[0]}"

    def take(self, image: Examined) -> None:
        """Add the proposals of an image."""
        proposals, truth = image.proposals
        self.update([image.image_id], [proposals], [truth])

    def update(self, image_ids: Sequence[object], proposals: Sequence[Tensor], truth: Sequence[Tensor]) -> None:
        """Add N images: ids, proposals (P, 4) best first, and truth boxes (M, 4) in the same pixels."""
        for image_id, boxes, wanted in zip(image_ids, proposals, truth, strict=True):
            found = found_truths(boxes, wanted, self.counts, self.iou_thresholds)
            self.add(image_id, (found.numpy(), len(wanted)))

    def compute(self) -> dict[str, Tensor]:
        found = sum((record[0] for record in self.ordered()), np.zeros((len(self.counts), len(self.iou_thresholds))))
        recall = torch.from_numpy(found) / sum(record[1] for record in self.ordered())
        return {
            f"recall@{count}_iou{iou}": self.scalar(float(value))
            for count, row in zip(self.counts, recall)
            for iou, value in zip(self.iou_thresholds, row)
        }
