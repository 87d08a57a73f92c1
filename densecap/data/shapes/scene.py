"""What a scene is: coloured shapes on a background. Pixels are those of the finished picture."""

from __future__ import annotations

from dataclasses import dataclass

Colour = tuple[int, int, int]

#: Fill of every named colour, and the tone of its stripes and dots.
COLOURS: dict[str, Colour] = {
    "red": (214, 40, 40),
    "orange": (244, 126, 16),
    "yellow": (250, 208, 44),
    "green": (46, 160, 67),
    "blue": (38, 98, 217),
    "purple": (126, 58, 178),
    "pink": (247, 130, 184),
    "black": (44, 44, 52),
}
PATTERN_TONES: dict[str, Colour] = {name: (252, 250, 244) for name in COLOURS} | {"yellow": (112, 74, 12)}

KINDS = ("circle", "square", "triangle", "star", "ring", "cross", "heart", "diamond")
TEXTURES = {"plain": 0.5, "striped": 0.25, "dotted": 0.25}

#: Pixels along the longest side of a box. Only the outer two classes are ever named, so that the gaps between the
#: classes keep "large" and "small" from being a matter of taste.
SIZES: dict[str, tuple[int, int]] = {"small": (28, 35), "medium": (45, 54), "large": (66, 88)}

#: (height, width) of the pictures and how often each occurs. The longest side is always 256.
PICTURE_SIZES: dict[tuple[int, int], float] = {(192, 256): 0.5, (256, 192): 0.25, (256, 256): 0.25}

BACKGROUNDS = {"plain": 0.28, "gradient": 0.24, "speckled": 0.24, "tiled": 0.24}
LIGHT_TINTS: tuple[Colour, ...] = (
    (236, 234, 228),
    (222, 232, 240),
    (228, 238, 224),
    (244, 232, 214),
    (238, 226, 236),
    (214, 220, 224),
)
DARK_TINTS: tuple[Colour, ...] = ((40, 50, 74), (46, 62, 58), (66, 52, 62), (58, 60, 66))
#: Colours that stand out against dark tints.
COLOURS_ON_DARK = ("red", "orange", "yellow", "green", "pink")


@dataclass(frozen=True)
class Shape:
    """One object. ``size`` is the longest side of its tight box in pixels, ``angle`` its turn in degrees."""

    kind: str
    colour: str
    texture: str
    size_class: str
    size: int
    angle: float
    centre: tuple[int, int]  # (x, y) of the middle of the box
    box: tuple[int, int, int, int]  # x1, y1, x2, y2, right and bottom edges exclusive
    pattern_seed: int

    @property
    def name(self) -> str:
        return f"{self.colour} {self.kind}"


@dataclass(frozen=True)
class Background:
    """``style`` is a key of ``BACKGROUNDS``, ``tints`` two neighbouring colours, ``dark`` whether they are dark."""

    style: str
    dark: bool
    tints: tuple[Colour, Colour]
    angle: float
    period: int
    pattern_seed: int


@dataclass(frozen=True)
class Scene:
    """``numbers`` are the seed, the split and the position that it was drawn from; ``shapes`` three to eight."""

    image_id: int
    split: str
    numbers: tuple[int, ...]
    height: int
    width: int
    background: Background
    shapes: tuple[Shape, ...]

    @property
    def layout(self) -> tuple[tuple[str, str, int, int], ...]:
        """Which kind and colour stands in which cell of a 4x4 grid, in an order that does not matter."""
        cells = [(s.centre[0] * 4 // self.width, s.centre[1] * 4 // self.height) for s in self.shapes]
        return tuple(sorted((s.kind, s.colour, *cell) for s, cell in zip(self.shapes, cells)))
