"""Drawing scenes at random, from nothing but a seed, a split and a position in it.

Held-out scenes never share a layout with a training scene: a hash of the layout says which splits it may occur in,
and a scene whose layout belongs elsewhere is drawn again. So it holds for any number of scenes, and any one of them
can be made again without the others.
"""

from __future__ import annotations

import hashlib
import math

from densecap.data.shapes.dice import Dice
from densecap.data.shapes.outlines import THIN, TURNABLE, extent
from densecap.data.shapes.scene import (
    BACKGROUNDS,
    COLOURS,
    COLOURS_ON_DARK,
    DARK_TINTS,
    KINDS,
    LIGHT_TINTS,
    PICTURE_SIZES,
    SIZES,
    TEXTURES,
    Background,
    Colour,
    Scene,
    Shape,
)

#: Image ids of a split start here, so that an id says where its scene comes from.
FIRST_IDS = {"train": 1, "val": 1_000_001, "test": 2_000_001}
#: The eighth part of all layouts that a held-out split is drawn from; the other six parts are for training.
HELD_OUT_PARTS = {"val": 0, "test": 1}
MARGIN = 4  # pixels between a shape and the picture's edge
GAP = 4  # pixels between two boxes
DEFAULT_SEED = 2016


def scene_of(image_id: int, seed: int = DEFAULT_SEED) -> Scene:
    """The scene that belongs to an image id, made again from the seed."""
    split = max((name for name in FIRST_IDS if FIRST_IDS[name] <= image_id), key=lambda name: FIRST_IDS[name])
    position = image_id - FIRST_IDS[split]
    numbers = (seed, list(FIRST_IDS).index(split), position)
    dice = Dice(*numbers)
    while True:
        scene = _draw(dice, image_id, split, numbers)
        if scene is not None and split in allowed_splits(scene):
            return scene


def allowed_splits(scene: Scene) -> set[str]:
    """The splits in which this layout may occur: train, or exactly one of the held-out ones."""
    digest = hashlib.sha256(repr(scene.layout).encode()).digest()
    return {name for name, part in HELD_OUT_PARTS.items() if part == digest[0] % 8} or {"train"}


def _draw(dice: Dice, image_id: int, split: str, numbers: tuple[int, ...]) -> Scene | None:
    """One attempt; None when the shapes did not fit."""
    height, width = dice.weighted(PICTURE_SIZES)
    background = _background(dice)
    count = dice.integer(3, 8)
    classes = sorted((dice.choice(list(SIZES)) for _ in range(count)), key=lambda name: -SIZES[name][0])
    shapes: list[Shape] = []
    for size_class in classes:
        shape = _place(dice, size_class, height, width, background.dark, shapes)
        if shape is None:
            return None
        shapes.append(shape)
    return Scene(image_id, split, numbers, height, width, background, tuple(dice.shuffled(shapes)))


def _background(dice: Dice) -> Background:
    dark = dice.chance(0.2)
    first = dice.choice(DARK_TINTS if dark else LIGHT_TINTS)
    shift = dice.integer(14, 24) * (1 if dark else -1)
    second: Colour = (first[0] + shift, first[1] + shift, first[2] + shift)
    angle, period = dice.uniform(0, 360), dice.integer(18, 40)
    return Background(dice.weighted(BACKGROUNDS), dark, (first, second), angle, period, dice.integer(0, 2**31))


def _place(dice: Dice, size_class: str, height: int, width: int, dark: bool, others: list[Shape]) -> Shape | None:
    kind = dice.choice(KINDS)
    colour = dice.choice(COLOURS_ON_DARK if dark else tuple(COLOURS))
    texture = _legible(dice.weighted(TEXTURES), kind, size_class)
    size = dice.integer(*SIZES[size_class])
    angle = float(dice.integer(-12, 12)) if kind in TURNABLE else 0.0
    pattern_seed = dice.integer(0, 2**31)
    half_width, half_height = (side / 2 for side in extent(kind, angle, size))
    for _ in range(40):
        x = dice.integer(int(half_width) + MARGIN + 1, width - int(half_width) - MARGIN - 1)
        y = dice.integer(int(half_height) + MARGIN + 1, height - int(half_height) - MARGIN - 1)
        box = (_nearest(x - half_width), _nearest(y - half_height), _nearest(x + half_width), _nearest(y + half_height))
        if all(_apart(box, other.box) for other in others):
            return Shape(kind, colour, texture, size_class, size, angle, (x, y), box, pattern_seed)
    return None


def _nearest(edge: float) -> int:
    return math.floor(edge + 0.5)


def _legible(texture: str, kind: str, size_class: str) -> str:
    """The texture, or none where a small shape would not show enough of it."""
    return "plain" if size_class == "small" and kind in THIN else texture


def _apart(first: tuple[int, ...], second: tuple[int, ...]) -> bool:
    return (
        first[0] >= second[2] + GAP
        or second[0] >= first[2] + GAP
        or first[1] >= second[3] + GAP
        or second[1] >= first[3] + GAP
    )
