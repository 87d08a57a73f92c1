"""From the option ``rerank`` to a re-ranker, its hypotheses and its features; for eval and predict."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from omegaconf import DictConfig
from rich.console import Console
from torch import Tensor

from densecap.checkpoint import LoadedModel
from densecap.commands.progress import model_progress
from densecap.data.hdf5 import RegionFile
from densecap.errors import UserError
from densecap.evaluation.image_vectors import ImageVectors, refined_vectors
from densecap.evaluation.reranked import rerank_regions
from densecap.metrics.cider import document_frequencies
from densecap.models.generation import GenerationSettings
from densecap.models.image_captioner import ImageCaptioner
from densecap.reranking.choice import Reranker
from densecap.reranking.consensus import Consensus
from densecap.reranking.mbr import MinimumBayesRisk
from densecap.structures import Prediction, RegionPrediction
from densecap.text.cleaning import clean_words

NAMES = ("none", "mbr", "consensus")


def is_asked_for(cfg: DictConfig) -> bool:
    """Errors: UserError for a name that does not exist."""
    name = str(cfg.rerank.name) if cfg.get("rerank") else "none"
    if name not in NAMES:
        raise UserError(f"rerank.name is one of {', '.join(NAMES)}, got {name}; choose with rerank=NAME")
    return name != "none"


def with_hypotheses(cfg: DictConfig, generation: GenerationSettings) -> GenerationSettings:
    """The settings with as many captions as re-ranking chooses among. Errors: UserError for fewer than two."""
    if not is_asked_for(cfg):
        return generation
    count = cfg.rerank.num_captions
    if not isinstance(count, int) or count < 2:
        raise UserError(f"rerank.num_captions is a whole number above 1, got {count}")
    count = max(count, generation.num_captions)
    beams = generation.beam_size if generation.samples else max(count, generation.beam_size)
    return dataclasses.replace(generation, num_captions=count, beam_size=beams)


def check_needs_no_images(cfg: DictConfig) -> None:
    """For captions of regions. Errors: UserError for consensus, which compares whole images."""
    if cfg.rerank.name == "consensus":
        raise UserError("rerank=consensus compares whole images, and here regions are described: take rerank=mbr")


def settings_of(cfg: DictConfig) -> dict[str, object]:
    """What predictions.json says about re-ranking."""
    return {str(key): value for key, value in cfg.rerank.items()}


def make_reranker(cfg: DictConfig, loaded: LoadedModel, evaluated: RegionFile | None, console: Console) -> Reranker:
    """The re-ranker of ``cfg.rerank``; ``evaluated`` is the prepared file of an evaluation.

    Errors: UserError when the training captions or features it needs are not there or do not fit.
    """
    given = RegionFile(Path(str(cfg.rerank.data)).expanduser()) if cfg.rerank.data else None
    if cfg.rerank.name == "mbr":
        return MinimumBayesRisk(None if given is None else document_frequencies(_training_captions(given)[1]))
    source = given or evaluated
    if source is None:
        raise UserError(
            "rerank=consensus needs the captions of the training images: rerank.data=FILE, the prepared file that the "
            "model was trained on"
        )
    rows, captions = _training_captions(source)
    vectors = ImageVectors(loaded, source, cfg.rerank.features, int(cfg.batch_size))
    with model_progress(console) as progress:
        bar = progress.add_task("training images", total=len(rows))
        features = vectors(rows, lambda count: progress.advance(bar, count))
    refined = refined_vectors(vectors.model, features)
    rerank = cfg.rerank
    return Consensus(refined, captions, str(rerank.similarity), rerank.num_neighbours, rerank.num_counted)


def _training_captions(source: RegionFile) -> tuple[list[int], list[list[str]]]:
    """Rows and captions of the training images that have some; errors: UserError when there are none."""
    rows = [row for row in source.indices("train").tolist() if source.region_counts[row]]
    if not rows:
        raise UserError(f"{source.path} has no captions of training images, which rerank needs")
    return rows, [[" ".join(clean_words(text)) for text in source.captions(row)] for row in rows]


@dataclass
class StoredFeatures:
    """Features of the images of predictions, each of which has one region, by their ids in a prepared file."""

    vectors: ImageVectors

    def __call__(self, predictions: Sequence[Prediction]) -> Tensor:
        places = {image_id: row for row, image_id in enumerate(self.vectors.source.ids)}
        rows = [places[own.image_id] for own in predictions for _ in own.regions]
        return refined_vectors(self.vectors.model, self.vectors(rows))


def stored_features(cfg: DictConfig, loaded: LoadedModel, evaluated: RegionFile) -> StoredFeatures | None:
    """For a re-ranker that needs them, features of the images that are evaluated."""
    if cfg.rerank.name != "consensus":
        return None
    given = None if cfg.rerank.data else cfg.rerank.features  # those given are of the other data set
    return StoredFeatures(ImageVectors(loaded, evaluated, given, int(cfg.batch_size)))


@dataclass
class PictureReranker:
    """Chooses among the captions of pictures as they come, each region by itself."""

    reranker: Reranker
    loaded: LoadedModel

    @torch.no_grad()
    def __call__(
        self, images: Sequence[Tensor], found: Sequence[list[RegionPrediction]]
    ) -> list[list[RegionPrediction]]:
        """(3, H, W) uint8 pictures and their regions -> the regions with their captions chosen anew."""
        if not self.reranker.needs_features:
            return [[rerank_regions([region], self.reranker)[0] for region in regions] for regions in found]
        model = self.loaded.model
        assert isinstance(model, ImageCaptioner)
        chosen = rerank_regions(
            [regions[0] for regions in found], self.reranker, refined_vectors(model, model.image_features(images))
        )
        return [[region] for region in chosen]


def of_pictures(cfg: DictConfig, loaded: LoadedModel, console: Console) -> PictureReranker | None:
    """For predict; None when it is not asked for. Errors: UserError as for ``make_reranker``."""
    if not is_asked_for(cfg):
        return None
    if loaded.model.finds_boxes:
        check_needs_no_images(cfg)
    return PictureReranker(make_reranker(cfg, loaded, None, console), loaded)
