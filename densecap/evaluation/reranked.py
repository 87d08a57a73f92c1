"""Predictions whose captions are chosen anew before they are written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from densecap.prediction.writers import Writer
from densecap.reranking.choice import Reranker
from densecap.structures import Prediction, RegionPrediction

#: Features (N, F) of the regions of predictions, for re-rankers that need them.
FeaturesOf = Callable[[Sequence[Prediction]], Tensor]


class RerankedWriter(Writer):
    """Keeps predictions until the end, since what is common among all hypotheses may count, then passes them on."""

    def __init__(self, inner: Writer, reranker: Reranker, features: FeaturesOf | None = None) -> None:
        self.inner, self.reranker, self.features = inner, reranker, features
        self.waiting: list[Prediction] = []

    def add(self, prediction: Prediction) -> None:
        self.waiting.append(prediction)

    def close(self, summary: dict[str, Any]) -> None:
        features = self.features(self.waiting) if self.features is not None else None
        for prediction in rerank_predictions(self.waiting, self.reranker, features):
            self.inner.add(prediction)
        self.inner.close(summary)

    def discard(self) -> None:
        self.inner.discard()


def rerank_predictions(
    predictions: Sequence[Prediction], reranker: Reranker, features: Tensor | None = None
) -> list[Prediction]:
    """The predictions with the re-ranker's choice as the caption of each region; ``features`` are of all regions."""
    chosen = iter(rerank_regions([region for own in predictions for region in own.regions], reranker, features))
    return [replace(own, regions=[next(chosen) for _ in own.regions]) for own in predictions]


def rerank_regions(
    regions: Sequence[RegionPrediction], reranker: Reranker, features: Tensor | None = None
) -> list[RegionPrediction]:
    """Each region with its best hypothesis as its caption; those with a single one stay as they are."""
    hypotheses = [[said.caption for said in region.captions or []] for region in regions]
    ranked = reranker.rank(hypotheses, features)
    return [
        with_caption(region, own.best) if own.order else region for region, own in zip(regions, ranked, strict=True)
    ]


def with_caption(region: RegionPrediction, place: int) -> RegionPrediction:
    """The region with one of its ``captions`` as the one that counts."""
    assert region.captions is not None
    said = region.captions[place]
    return replace(region, caption=said.caption, log_prob=said.log_prob, token_log_probs=list(said.token_log_probs))
