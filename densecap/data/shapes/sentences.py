"""Sentences about a whole scene: three to five for every picture, each worded another way and each true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from densecap.data.shapes.dice import Dice
from densecap.data.shapes.grammar import SIZE_WORDS, nearest_neighbour, with_article
from densecap.data.shapes.scene import Scene, Shape

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight")
STYLE_WORDS = {"plain": "plain", "gradient": "shaded", "speckled": "speckled", "tiled": "tiled"}
CORNERS = {(0, 0): "upper left", (2, 0): "upper right", (0, 2): "lower left", (2, 2): "lower right"}


def sentences(scene: Scene) -> list[str]:
    """Three to five different sentences that are true of the picture."""
    dice = Dice(*scene.numbers, 2)
    found = [sentence for make in (_counted, _listed, _kinds, _largest, _corner) if (sentence := make(dice, scene))]
    distinct = list(dict.fromkeys(found))
    return dice.shuffled(distinct)[: dice.integer(3, 5)]


def backdrop(scene: Scene) -> str:
    tone = "dark" if scene.background.dark else "light"
    return f"on a {tone} {STYLE_WORDS[scene.background.style]} background"


def _counted(dice: Dice, scene: Scene) -> str:
    opening = dice.choice(("there are {} shapes", "a picture of {} shapes", "{} shapes"))
    return f"{opening.format(NUMBERS[len(scene.shapes)])} {backdrop(scene)}"


def _listed(dice: Dice, scene: Scene) -> str:
    """All shapes, equal ones together, or the first of them when they are too many to name."""
    groups = [_several(count, name) for name, count in Counter(shape.name for shape in scene.shapes).items()]
    if len(groups) <= 3:
        return f"{_joined(groups)} {backdrop(scene)}"
    shown = dice.shuffled(groups)[:2]
    return f"{NUMBERS[len(scene.shapes)]} shapes among them {_joined(shown)}"


def _kinds(dice: Dice, scene: Scene) -> str:
    """How many there are of the commonest kinds."""
    kinds = Counter(shape.kind for shape in scene.shapes).most_common()
    groups = [_several(count, kind) for kind, count in kinds]
    if len(groups) <= 3:
        return f"{dice.choice(('there are', 'we see'))} {_joined(groups)}" if kinds[0][1] > 1 else _joined(groups)
    return f"a picture with {_joined(groups[:2])} and other shapes"


def _largest(dice: Dice, scene: Scene) -> str:
    """The largest shape and what is next to it."""
    index = max(range(len(scene.shapes)), key=lambda place: _area(scene.shapes[place]))
    shape = scene.shapes[index]
    sizes = SIZE_WORDS[shape.size_class]
    texture = "" if shape.texture == "plain" else shape.texture
    words = " ".join(filter(None, [dice.choice(sizes) if sizes else "", texture, shape.name]))
    neighbour = nearest_neighbour(scene, index)
    if neighbour is None:
        return f"{with_article('a', words)} {backdrop(scene)}"
    return f"{with_article('a', words)} {neighbour[0]} {with_article('a', neighbour[1].name)} {backdrop(scene)}"


def _corner(dice: Dice, scene: Scene) -> str:
    """A shape that lies in one corner of the picture and alone of its name; empty when there is none."""
    names = Counter(shape.name for shape in scene.shapes)
    for shape in dice.shuffled(scene.shapes):
        third = (shape.centre[0] * 3 // scene.width, shape.centre[1] * 3 // scene.height)
        if third in CORNERS and names[shape.name] == 1:
            others = NUMBERS[len(scene.shapes) - 1]
            return f"{with_article('a', shape.name)} in the {CORNERS[third]} corner and {others} other shapes"
    return ""


def _area(shape: Shape) -> int:
    return (shape.box[2] - shape.box[0]) * (shape.box[3] - shape.box[1])


def _several(count: int, name: str) -> str:
    if count == 1:
        return with_article("a", name)
    return f"{NUMBERS[count]} {name}{'es' if name.endswith('s') else 's'}"


def _joined(items: Iterable[str]) -> str:
    *first, last = items
    return f"{', '.join(first)} and {last}" if first else last
