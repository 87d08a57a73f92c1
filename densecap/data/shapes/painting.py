"""Painting a scene: shapes are drawn four times too large and averaged down, so every edge is smooth."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageChops, ImageDraw

from densecap.data.shapes.dice import Dice
from densecap.data.shapes.outlines import outline
from densecap.data.shapes.scene import COLOURS, PATTERN_TONES, Background, Colour, Scene, Shape

OVERSAMPLING = 4
PATTERN_OVERSAMPLING = 2
EDGE = 1.6  # pixels of the darker rim inside each shape
SHARP_CORNERS = 12  # an outline of more corners is a curve, whose rim needs no joints


def paint(scene: Scene) -> Image.Image:
    """The picture of a scene, RGB, at its own size."""
    picture = _background(scene.background, scene.height, scene.width)
    for shape in scene.shapes:
        patch, mask, corner = _shape(shape)
        picture.paste(patch, corner, mask)
    return picture


def _shape(shape: Shape) -> tuple[Image.Image, Image.Image, tuple[int, int]]:
    """(colours, opacity, top left corner) of one shape."""
    side = shape.size + 4 + shape.size % 2  # even, so that the centre is a pixel corner
    polygons = [(points * shape.size + side / 2) * OVERSAMPLING for points in outline(shape.kind, shape.angle)]
    large = _blank(side)
    rim = _blank(side)
    for number, points in enumerate(polygons):
        corners = [tuple(point) for point in points.tolist()]
        ImageDraw.Draw(large).polygon(corners, fill=255 if number == 0 else 0)
        # The stroke lies half outside the shape, where the opacity cuts it off.
        width = round(2 * EDGE * OVERSAMPLING)
        joint = "curve" if len(corners) <= SHARP_CORNERS else None
        ImageDraw.Draw(rim).line([*corners, corners[0], corners[1]], fill=255, width=width, joint=joint)
    fill = COLOURS[shape.colour]
    patch = Image.new("RGB", (side, side), fill)
    if shape.texture != "plain":
        patch.paste(PATTERN_TONES[shape.colour], mask=_texture(shape, side).reduce(PATTERN_OVERSAMPLING))
    patch.paste(_darker(fill), mask=ImageChops.multiply(rim, large).reduce(OVERSAMPLING))
    corner = (shape.centre[0] - side // 2, shape.centre[1] - side // 2)
    return patch, large.reduce(OVERSAMPLING), corner


def _blank(side: int) -> Image.Image:
    return Image.new("L", (side * OVERSAMPLING, side * OVERSAMPLING), 0)


def _darker(colour: Colour) -> Colour:
    return (int(colour[0] * 0.62), int(colour[1] * 0.62), int(colour[2] * 0.62))


def _texture(shape: Shape, side: int) -> Image.Image:
    """Where the pattern's tone covers the fill, twice too large."""
    dice = Dice(shape.pattern_seed)
    period = max(10.0, 0.2 * shape.size) * PATTERN_OVERSAMPLING
    angle = dice.choice((0.0, 45.0, 90.0, 135.0)) if shape.texture == "striped" else dice.uniform(-12, 12)
    phase = dice.uniform(0, period)
    along, across = _rotated_grid(side * PATTERN_OVERSAMPLING, angle)
    along, across = (along + phase) / period, (across + phase) / period  # in periods
    if shape.texture == "striped":
        covered = along % 1 < 0.42
    else:
        covered = (along % 1 - 0.5) ** 2 + (across % 1 - 0.5) ** 2 < 0.3**2
    return Image.fromarray(covered.astype(np.uint8) * np.uint8(255))


def _rotated_grid(side: int, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """(side, side) coordinates along and across a direction, never negative."""
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    x = np.arange(side, dtype=np.float32)[None, :]
    y = np.arange(side, dtype=np.float32)[:, None]
    return c * x + s * y + 2 * side, c * y - s * x + 2 * side


def _background(background: Background, height: int, width: int) -> Image.Image:
    first, second = background.tints
    if background.style == "plain":
        return Image.new("RGB", (width, height), first)
    if background.style == "gradient":
        blend = _slope(background.angle, height, width)
    elif background.style == "speckled":
        blend = _speckles(background.pattern_seed, height, width)
    else:
        blend = _tiles(background.period, height, width)
    base = Image.new("RGB", (width, height), first)
    # A gradient may run further than speckles and tiles, which should not drown the shapes.
    base.paste(second, mask=blend)
    return base


def _slope(angle: float, height: int, width: int) -> Image.Image:
    along, _ = _rotated_grid(max(height, width), angle)
    along = along[:height, :width]
    low, high = along.min(), along.max()
    return Image.fromarray(((along - low) * (255 / (high - low))).astype(np.uint8))


def _speckles(seed: int, height: int, width: int) -> Image.Image:
    grain = Image.fromarray(Dice(seed).grain(height // 2, width // 2))
    return grain.resize((width, height), Image.Resampling.BILINEAR)


def _tiles(period: int, height: int, width: int) -> Image.Image:
    x, y = np.arange(width)[None, :], np.arange(height)[:, None]
    chequer = np.where((x // period + y // period) % 2 == 0, 0, 150)
    joints = (x % period == 0) | (y % period == 0)
    return Image.fromarray(np.where(joints, 255, chequer).astype(np.uint8))
