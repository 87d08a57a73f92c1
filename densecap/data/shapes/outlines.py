"""The outline of every kind of shape as polygons around the origin, scaled so that its longest side is 1."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

#: Kinds that may be turned a little; turning the others would change nothing or change their name.
TURNABLE = frozenset({"square", "triangle", "star", "cross", "heart"})
#: Kinds that have too little surface to show a pattern when they are small.
THIN = frozenset({"star", "ring", "cross", "diamond"})
RING_HOLE = 0.48
CROSS_ARM = 0.36


def _circle(radius: float = 1.0) -> np.ndarray:
    angles = np.arange(72) * (2 * math.pi / 72)
    return radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _star() -> np.ndarray:
    angles = np.arange(10) * (math.pi / 5) - math.pi / 2
    radii = np.where(np.arange(10) % 2 == 0, 1.0, 0.46)
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)


def _cross() -> np.ndarray:
    a = CROSS_ARM
    quarter = [(-a, -1.0), (a, -1.0), (a, -a)]
    turned = [(-y, x) for x, y in quarter]
    half = quarter + turned
    return np.array(half + [(-x, -y) for x, y in half])


def _heart() -> np.ndarray:
    t = np.arange(72) * (2 * math.pi / 72)
    x = 16 * np.sin(t) ** 3
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    return np.stack([x, y], axis=1)


def _upright(kind: str) -> list[np.ndarray]:
    if kind == "circle":
        return [_circle()]
    if kind == "ring":
        return [_circle(), _circle(RING_HOLE)]
    if kind == "square":
        return [np.array([(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)])]
    if kind == "triangle":
        return [np.array([(0.0, -1.0), (1.06, 0.84), (-1.06, 0.84)])]
    if kind == "diamond":
        return [np.array([(0.0, -1.0), (0.8, 0.0), (0.0, 1.0), (-0.8, 0.0)])]
    return [{"star": _star, "cross": _cross, "heart": _heart}[kind]()]


@lru_cache(maxsize=4096)
def outline(kind: str, angle: float = 0.0) -> tuple[np.ndarray, ...]:
    """(P, 2) polygons, the filled one and then its hole if there is one, turned by ``angle`` degrees.

    The box of the first polygon is centred on the origin and its longest side is 1.
    """
    polygons = _upright(kind)
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    turned = [points @ np.array([[c, s], [-s, c]]) for points in polygons]
    low, high = turned[0].min(axis=0), turned[0].max(axis=0)
    return tuple((points - (low + high) / 2) / (high - low).max() for points in turned)


def extent(kind: str, angle: float, size: float) -> tuple[float, float]:
    """(width, height) in pixels of the box around a shape whose longest side is ``size``."""
    points = outline(kind, angle)[0]
    width, height = (points.max(axis=0) - points.min(axis=0)) * size
    return float(width), float(height)
