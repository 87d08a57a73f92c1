"""From images to described boxes: proposals, final boxes, final NMS, then captions for the survivors only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from densecap.models.generation import GenerationSettings, generate
from densecap.models.localization.fcln import MapGroup
from densecap.models.settings import DetectionSettings
from densecap.models.spoken import described, spoken
from densecap.ops.boxes import apply_transforms, clip_boxes
from densecap.ops.nms import nms
from densecap.ops.resize import resize_image
from densecap.structures import RegionPrediction

if TYPE_CHECKING:
    from densecap.models.dense_captioner import DenseCaptioner
    from densecap.models.image_captioner import ImageCaptioner


@dataclass
class Detections:
    """Boxes of one image: ``boxes`` (R, 4) in pixels of the resized image, ``logits`` (R,), ``codes`` (R, F)."""

    boxes: Tensor
    logits: Tensor
    codes: Tensor


@torch.no_grad()
def detect(
    model: DenseCaptioner, images: Tensor, sizes: Sequence[tuple[int, int]], settings: DetectionSettings
) -> list[Detections]:
    """Final boxes of padded (B, 3, H, W) images, best first.

    The released code describes all proposals and suppresses afterwards; scores do not depend on captions, so
    suppressing first gives the same result for a fraction of the decoding.
    """
    return detections_of_maps(model, model.feature_maps(images, sizes), sizes, settings)


@torch.no_grad()
def detections_of_maps(
    model: DenseCaptioner, groups: Sequence[MapGroup], sizes: Sequence[tuple[int, int]], settings: DetectionSettings
) -> list[Detections]:
    """``detect`` from the feature maps of ``model.feature_maps``."""
    boxes = proposals_of_maps(model, groups, sizes, settings)
    codes = model.recognition(model.localization.pool(groups, boxes, sizes))
    logits = model.recognition.objectness(codes)[:, 0].float()
    final = apply_transforms(torch.cat(boxes), model.recognition.box(codes).float())
    counts = [len(own) for own in boxes]
    parts = zip(final.split(counts), logits.split(counts), codes.split(counts), sizes)
    return [_suppress(model, Detections(*part), size, settings) for *part, size in parts]


@torch.no_grad()
def proposals_of(
    model: DenseCaptioner, images: Sequence[Tensor], settings: DetectionSettings | None = None
) -> list[Tensor]:
    """The (P, 4) proposals of each (3, H, W) uint8 image after NMS, in its own pixels, best first, not yet refined."""
    if not images:
        return []
    batch, sizes = stack(model, images)
    found = proposals_of_maps(model, model.feature_maps(batch, sizes), sizes, settings or model.detection)
    scales = [scale_of(image, size) for image, size in zip(images, sizes)]
    return [(own / own.new_tensor(scale)).cpu() for own, scale in zip(found, scales)]


@torch.no_grad()
def proposals_of_maps(
    model: DenseCaptioner, groups: Sequence[MapGroup], sizes: Sequence[tuple[int, int]], settings: DetectionSettings
) -> list[Tensor]:
    """The (P, 4) proposals of each image after NMS, in pixels of the resized image, best first."""
    boxes: dict[int, Tensor] = {}
    for rows, levels in groups:
        for index, proposals in zip(rows, model.localization.propose(levels)):
            boxes[index], _ = model.localization.select(proposals, sizes[index], settings)
    return [boxes[index] for index in range(len(sizes))]


def _suppress(
    model: DenseCaptioner, found: Detections, size: tuple[int, int], settings: DetectionSettings
) -> Detections:
    boxes = clip_boxes(found.boxes, *size) if model.conventions.clip_final else found.boxes
    usable = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    if settings.score_threshold > 0:
        usable &= found.logits.sigmoid() >= settings.score_threshold
    rows = usable.nonzero()[:, 0]
    if settings.final_nms_iou < 1:
        kept = rows[nms(boxes[rows], found.logits[rows], settings.final_nms_iou, settings.max_detections)]
    else:
        kept = rows[found.logits[rows].argsort(descending=True, stable=True)][: settings.max_detections]
    return Detections(boxes[kept], found.logits[kept], found.codes[kept])


@torch.no_grad()
def caption_images(
    model: DenseCaptioner, images: Sequence[Tensor], detection: DetectionSettings, generation: GenerationSettings
) -> list[list[RegionPrediction]]:
    """Described boxes of each (3, H, W) uint8 image, in its own pixels, best score first."""
    if not images:
        return []
    batch, sizes = stack(model, images)
    found = detect(model, batch, sizes, detection)
    return describe(model, images, sizes, found, generation)


@torch.no_grad()
def caption_boxes(
    model: DenseCaptioner, images: Sequence[Tensor], boxes: Sequence[Tensor], generation: GenerationSettings
) -> list[list[RegionPrediction]]:
    """Captions of given boxes, which are pooled as they are: neither refined nor suppressed nor reordered."""
    if not images:
        return []
    batch, sizes = stack(model, images)
    resized = [
        own.float() * own.new_tensor(scale_of(image, size), dtype=torch.float32)
        for own, image, size in zip(boxes, images, sizes)
    ]
    return describe(model, images, sizes, detections_of_boxes(model, batch, sizes, resized), generation)


@torch.no_grad()
def detections_of_boxes(
    model: DenseCaptioner, images: Tensor, sizes: Sequence[tuple[int, int]], boxes: Sequence[Tensor]
) -> list[Detections]:
    """What ``detect`` would give had it found the (R, 4) ``boxes``, in pixels of the padded (B, 3, H, W) images."""
    own = [item.to(images.device, torch.float32) for item in boxes]
    codes = model.recognition(model.localization.pool(model.feature_maps(images, sizes), own, sizes))
    logits = model.recognition.objectness(codes)[:, 0].float()
    counts = [len(item) for item in own]
    return [Detections(*part) for part in zip(own, logits.split(counts), codes.split(counts))]


def scale_of(image: Tensor, size: tuple[int, int]) -> list[float]:
    """(x, y, x, y) factors from an image's own pixels to those of its resized copy."""
    vertical, horizontal = size[0] / image.shape[-2], size[1] / image.shape[-1]
    return [horizontal, vertical, horizontal, vertical]


def stack(model: DenseCaptioner | ImageCaptioner, images: Sequence[Tensor]) -> tuple[Tensor, list[tuple[int, int]]]:
    """Resize and pad to one (B, 3, H, W) uint8 tensor on the model's device."""
    device = next(model.parameters()).device
    resized = [resize_image(image, model.image_size, model.conventions.resize_filter) for image in images]
    sizes = [(image.shape[-2], image.shape[-1]) for image in resized]
    batch = resized[0].new_zeros((len(resized), 3, max(h for h, _ in sizes), max(w for _, w in sizes)))
    for row, image in zip(batch, resized):
        row[:, : image.shape[-2], : image.shape[-1]] = image
    return batch.to(device), sizes


def describe(
    model: DenseCaptioner | ImageCaptioner,
    images: Sequence[Tensor],
    sizes: Sequence[tuple[int, int]],
    found: Sequence[Detections],
    generation: GenerationSettings,
) -> list[list[RegionPrediction]]:
    """Captions for detections, whose boxes are brought to the pixels of the given images."""
    captions = generate(model.decoder, torch.cat([item.codes for item in found]), generation, model.vocabulary)
    said = spoken(captions, generation.num_captions, model.vocabulary)
    results, start = [], 0
    for image, size, item in zip(images, sizes, found):
        boxes = (item.boxes / item.boxes.new_tensor(scale_of(image, size))).tolist()
        scores = item.logits.sigmoid().tolist()
        rows = zip(boxes, scores, said[start:])
        results.append([described(tuple(box), score, own, generation.num_captions) for box, score, own in rows])
        start += len(boxes)
    return results
