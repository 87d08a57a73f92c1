"""Compiling the heavy parts of a model, for images of any size."""

from __future__ import annotations

from typing import Any

import torch

from densecap.models.captioner import Captioner


def compile_parts(model: Captioner, **options: Any) -> None:
    """Compile backbone and recognition network in place; names of parameters stay as they are.

    Sizes of images and numbers of regions are unknowns of the compiled code (``dynamic=True``), so a new size compiles
    nothing again; only a first image alone in its group, or validation after training, asks for a version of its own.
    The sampling of regions, NMS and the recurrence, whose shapes depend on the data, run as they are. ``options`` are
    those of ``torch.compile``; its code draws other random numbers for dropout.
    """
    if model.finds_boxes:
        model.backbone.compile(dynamic=True, **options)
        model.recognition.compile(dynamic=True, **options)  # type: ignore[union-attr]
    else:  # squares of one size, as many as there are
        model.backbone.image_features = torch.compile(  # type: ignore[method-assign]
            model.backbone.image_features, dynamic=True, **options
        )
