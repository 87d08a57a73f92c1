"""What a program that runs an exported model must know, in plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from densecap.checkpoint import LoadedModel
from densecap.model_folder.description import portable_config
from densecap.model_folder.folder import KNOWN
from densecap.models.dense_captioner import DenseCaptioner
from densecap.models.views import sizes_of


def description(loaded: LoadedModel, origin: Mapping[str, Any]) -> dict[str, Any]:
    """Words, settings, how pictures are prepared, and what is known of where the model comes from."""
    model = loaded.model
    dense = isinstance(model, DenseCaptioner)
    known = {key: origin[key] for key in KNOWN if origin.get(key)}
    views = {} if isinstance(model, DenseCaptioner) else {"crop": model.crop, "size": sizes_of(model.input_size)[0]}
    return {
        "kind": "dense captioner" if dense else "image captioner",
        "words": model.vocabulary.words,
        "image_size": model.image_size,
        "resize_filter": model.conventions.resize_filter,
        "views": views,
        "max_length": model.decoder.max_length,
        "detection": asdict(model.detection),
        "generation": asdict(model.generation),
        "data_name": loaded.data_name,
        "config": portable_config(origin["config"]),
    } | known
