"""Resizing arrays of pixels as ``torchvision`` resizes tensors of them, to the last bit, without PyTorch.

For 8-bit images PyTorch weighs pixels with 16-bit whole numbers on processors with AVX2, across first and down
afterwards, and rounds in between; other processors differ by one level in a few pixels.
"""

from __future__ import annotations

import math

import numpy as np

from densecap.ops.resize import resized_size

#: Bits behind the point of a weight, at most.
MAX_PRECISION = 22


def resize_whole_array(image: np.ndarray, longest: int, filter_name: str = "antialias") -> np.ndarray:
    """As ``densecap.ops.resize.resize_image``; errors: ValueError for a filter that is not known."""
    if filter_name not in ("antialias", "densecap2016"):
        raise ValueError(f"filter_name is 'antialias' or 'densecap2016', got {filter_name!r}")
    truncates = filter_name == "densecap2016"
    size = resized_size(image.shape[1], image.shape[2], longest, truncate=truncates)
    if size == image.shape[1:]:
        return image
    return scale_array_torch7(image, *size) if truncates else resize_array(image, *size)


def resize_array(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """(3, H, W) uint8 to (3, ``height``, ``width``), bilinear with antialiasing."""
    if width != image.shape[2]:
        image = _along_rows(image, width)
    if height != image.shape[1]:
        image = _along_rows(image.transpose(0, 2, 1), height).transpose(0, 2, 1)
    return np.ascontiguousarray(image)


def _along_rows(image: np.ndarray, size: int) -> np.ndarray:
    """(3, H, W) to (3, H, ``size``)."""
    first, weights = _weights(image.shape[2], size)
    precision = _precision(float(weights.max()))
    whole = np.floor(weights * (1 << precision) + 0.5).astype(np.int32)  # no weight is below 0
    total = np.full((*image.shape[:2], size), 1 << (precision - 1), np.int32)
    last = image.shape[2] - 1
    for tap in range(whole.shape[1]):
        total += image[:, :, np.minimum(first + tap, last)] * whole[:, tap]
    return np.clip(total >> precision, 0, 255).astype(np.uint8)


def _weights(source: int, target: int) -> tuple[np.ndarray, np.ndarray]:
    """The first pixel (target,) and the weights (target, taps) of each new pixel, a triangle as wide as it covers."""
    scale = source / target
    support = max(scale, 1.0)
    centre = scale * (np.arange(target) + 0.5)
    first = np.maximum((centre - support + 0.5).astype(np.int64), 0)
    end = np.minimum((centre + support + 0.5).astype(np.int64), source)
    taps = np.arange(math.ceil(support) * 2 + 1)
    places = first[:, None] + taps - centre[:, None] + 0.5
    weights = np.maximum(1 - np.abs(places / support), 0.0)
    weights[taps >= (end - first)[:, None]] = 0
    return first, weights / weights.sum(axis=1, keepdims=True)


def _precision(largest: float) -> int:
    """As many bits as keep the largest weight below 2 ** 15."""
    precision = 0
    while precision < MAX_PRECISION and int(0.5 + largest * (1 << (precision + 1))) < (1 << 15):
        precision += 1
    return precision


def scale_array_torch7(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Torch7's ``image.scale`` of (3, H, W) uint8: box averaging downwards, corner-aligned linear upwards."""
    rows, columns = torch7_weights(image.shape[1], height), torch7_weights(image.shape[2], width)
    scaled = rows @ image.astype(np.float32) @ columns.T
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def torch7_weights(source: int, target: int) -> np.ndarray:
    """(target, source) float32 weights of one axis; every row sums to 1."""
    index = np.arange(source, dtype=np.float64)
    if target > source:
        ratio = (source - 1) / max(target - 1, 1)
        weights = np.maximum(1 - np.abs(np.arange(target)[:, None] * ratio - index), 0)
    else:
        start = np.arange(target)[:, None] * (source / target)
        overlap = np.minimum(start + source / target, index + 1) - np.maximum(start, index)
        weights = np.maximum(overlap, 0)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
