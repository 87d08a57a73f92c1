"""Features of all images of a prepared file, batch by batch, the next batch decoded meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from densecap.data.hdf5 import RegionFile
from densecap.data.stored_pictures import stored_pictures
from densecap.features.parts import PART_SIZE, Arrays, Parts
from densecap.models.backbones.base import Backbone
from densecap.models.box_encoding import encode_images
from densecap.models.dense_captioner import DenseCaptioner
from densecap.models.image_captioner import ImageCaptioner
from densecap.models.inference import detect, stack
from densecap.models.settings import DetectionSettings
from densecap.models.views import InputSize
from densecap.ops.resize import resize_image

#: Pictures (3, H, W) uint8 as stored, and their original (height, width) -> arrays whose first axis is the images, or
#: for ``counts`` and what goes with it the regions of the images one after the other.
Extract = Callable[[list[Tensor], list[tuple[int, int]]], Arrays]


def of_backbone(backbone: Backbone, image_size: int, input_size: InputSize, crop: str) -> Extract:
    """``features`` (B, F) of whole images, as ``ImageCaptioner`` computes them."""

    @torch.inference_mode()
    def extract(pictures: list[Tensor], sizes: list[tuple[int, int]]) -> Arrays:
        resized = [resize_image(picture, image_size) for picture in pictures]
        return {"features": encode_images(backbone, resized, input_size, crop).float().cpu().numpy()}

    return extract


def of_captioner(model: ImageCaptioner, refined: bool) -> Extract:
    """``features`` (B, F) of a trained captioner's backbone or, ``refined``, of its multimodal layer."""

    @torch.inference_mode()
    def extract(pictures: list[Tensor], sizes: list[tuple[int, int]]) -> Arrays:
        features = model.backbone_features(pictures)
        if refined:
            features = model.decoder.refined(model.scaling(features))
        return {"features": features.float().cpu().numpy()}

    return extract


def of_regions(model: DenseCaptioner, detection: DetectionSettings) -> Extract:
    """``counts`` (B,) of the regions that a trained dense captioner finds, and of these, best first, ``codes`` (M, F),
    ``boxes`` (M, 4) in original pixels and ``scores`` (M,): extract_features.lua of the 2016 code."""

    @torch.inference_mode()
    def extract(pictures: list[Tensor], sizes: list[tuple[int, int]]) -> Arrays:
        batch, resized = stack(model, pictures)
        found = detect(model, batch, resized, detection)
        scales = [(own[1] / new[1], own[0] / new[0]) * 2 for own, new in zip(sizes, resized)]
        boxes = [item.boxes * item.boxes.new_tensor(scale) for item, scale in zip(found, scales)]
        return {
            "counts": np.array([len(item.boxes) for item in found]),
            "codes": torch.cat([item.codes for item in found]).float().cpu().numpy(),
            "boxes": torch.cat(boxes).float().cpu().numpy(),
            "scores": torch.cat([item.logits for item in found]).sigmoid().float().cpu().numpy(),
        }

    return extract


def run(
    source: RegionFile, extract: Extract, parts: Parts, batch_size: int, advance: Callable[[int, bool], None]
) -> int:
    """Make all parts of the images of ``source``; returns how many parts there are.

    ``advance`` is told how many images are done now, and whether they were there from an earlier run.
    """
    count = -(-len(source) // PART_SIZE)
    for index in range(count):
        rows = range(index * PART_SIZE, min((index + 1) * PART_SIZE, len(source)))
        if parts.get(index) is not None:
            advance(len(rows), True)
            continue
        done = []
        for batch, pictures in stored_pictures(source, rows, batch_size):
            sizes = [(int(height), int(width)) for height, width in source.original_sizes[list(batch)]]
            done.append(extract(pictures, sizes))
            advance(len(pictures), False)
        parts.put(index, {name: np.concatenate([arrays[name] for arrays in done]) for name in done[0]})
    return count
