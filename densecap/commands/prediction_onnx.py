"""What describes pictures in predict, and its card: a model in ONNX, without PyTorch."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from densecap.commands.prediction_job import Job
from densecap.commands.typed_settings import positive, typed_settings
from densecap.onnx_runtime.captioner import OnnxCaptioner
from densecap.onnx_runtime.decoding import check_settings
from densecap.prediction.loop import Caption
from densecap.prediction.sources import Unread
from densecap.structures import RegionPrediction


def onnx_captioner(job: Job) -> tuple[Caption, dict[str, Any], int]:
    """What describes a list of images, its card for the files, and how many images are read together.

    Errors: UserError for a model or a setting that cannot be used.
    """
    batch_size = positive(job.cfg, "batch_size")
    model = OnnxCaptioner.load(Path(str(job.cfg.ckpt)))
    if job.cfg.get("image_size"):
        model.image_size = positive(job.cfg, "image_size")
    detection = typed_settings(job.cfg, "detection", model.detection)
    generation = typed_settings(job.cfg, "generation", model.generation)
    check_settings(generation)

    def caption(items: Sequence[Unread], images: list[Any]) -> list[list[RegionPrediction]]:
        return model.caption_images(images, detection, generation)

    return caption, _card(model, detection, generation), batch_size


def _card(model: OnnxCaptioner, detection: Any, generation: Any) -> dict[str, Any]:
    """The ``model`` object of predictions.json."""
    about, path = model.graphs.about, model.graphs.path
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    config = {
        "image_size": model.image_size,
        "vocabulary_size": len(model.vocabulary),
        "detection": dataclasses.asdict(detection),
        "generation": dataclasses.asdict(generation),
    }
    name = about.get("config", {}).get("choices", {}).get("model") or about["kind"]
    return {
        "checkpoint": str(path),
        "sha256": digest,
        "name": name,
        "trained_on": about.get("data_name", ""),
        "config": config,
        "vocabulary": model.vocabulary.words,
    }
