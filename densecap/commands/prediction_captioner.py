"""What describes pictures in predict, and its card: a checkpoint's model with PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from densecap.commands import reranking
from densecap.commands.prediction_job import Job
from densecap.commands.trained_model import TrainedModel, enough_memory, model_card
from densecap.prediction.loop import Caption
from densecap.prediction.predictor import Predictor
from densecap.prediction.sources import Unread
from densecap.structures import RegionPrediction


def captioner(job: Job, trained: TrainedModel) -> tuple[Caption, dict[str, Any]]:
    """What describes a list of images, with ``rerank`` if it is asked for, and its card for the files."""
    cfg, loaded, boxes = job.cfg, trained.loaded, job.boxes
    generation = reranking.with_hypotheses(cfg, trained.generation)
    rerank = reranking.of_pictures(cfg, loaded, job.console)
    predictor = Predictor(loaded.model, trained.detection, generation, precision=job.precision)
    card = model_card(loaded, trained.detection, generation) | {"vocabulary": loaded.model.vocabulary.words}
    if rerank is not None:
        card["config"]["rerank"] = reranking.settings_of(cfg)
    if job.precision != "fp32":
        card["config"]["precision"] = job.precision
    if boxes is not None:
        card["config"]["boxes"] = {"file": boxes.name, "digest": boxes.digest}

    def caption(items: Sequence[Unread], images: list[Tensor]) -> list[list[RegionPrediction]]:
        with enough_memory(len(images)):
            found = predictor.caption_images(images) if boxes is None else boxes.described_by(predictor, items, images)
            return found if rerank is None else rerank(images, found)

    return caption, card
