"""The phrases that describe one shape of a scene, and the set of all that are true of it.

    attribute  [article] [size] [texture] colour kind
               [article] [size] colour kind "with" pattern
    relation   [article] colour kind relation article colour kind

The article is "a" ("an"), "the" or left out. A size is named only at the two ends of the scale, and may be left out;
a texture is always named in an attribute phrase; a relation holds by a clear margin. A phrase has at most ten words.
"""

from __future__ import annotations

from itertools import product

from densecap.data.shapes.dice import Dice
from densecap.data.shapes.scene import Scene, Shape

ARTICLES = {"a": 0.5, "": 0.3, "the": 0.2}
SIZE_WORDS = {"small": ("small", "little"), "medium": (), "large": ("large", "big")}
PATTERN_WORDS = {"striped": "stripes", "dotted": "dots"}
RELATIONS = ("to the left of", "to the right of", "above", "below")
NEAR = 40  # pixels; phrases are made up only about neighbours at most so far apart


def phrases(scene: Scene, index: int) -> list[str]:
    """The two differently worded phrases that the data set gives for shape ``index``."""
    dice = Dice(*scene.numbers, 1, index)
    shape = scene.shapes[index]
    first = _attribute(dice, shape)
    neighbour = nearest_neighbour(scene, index)
    if neighbour is not None and dice.chance(0.5):
        relation, partner = neighbour
        article = "the" if dice.chance(0.3) else "a"
        subject = with_article(dice.weighted(ARTICLES), shape.name)
        return [first, f"{subject} {relation} {with_article(article, partner.name)}"]
    while (second := _attribute(dice, shape)) == first:
        pass
    return [first, second]


def true_phrases(scene: Scene, index: int) -> frozenset[str]:
    """Every phrase of the grammar that is true of shape ``index``; a caption is exactly right if it is one of these."""
    shape = scene.shapes[index]
    described = [" ".join(filter(None, words)) for words in _attribute_words(shape)]
    for relation, partner in relations(scene, index):
        described += [f"{shape.name} {relation} {with_article(a, partner.name)}" for a in ("a", "the")]
    return frozenset(with_article(article, words) for article, words in product(ARTICLES, described))


def relations(scene: Scene, index: int) -> list[tuple[str, Shape]]:
    """Every (relation, partner) that holds for shape ``index`` by a clear margin."""
    shape = scene.shapes[index]
    pairs = [(relation_of(shape, other), other) for place, other in enumerate(scene.shapes) if place != index]
    return [(relation, other) for relation, other in pairs if relation is not None]


def relation_of(shape: Shape, other: Shape) -> str | None:
    """How ``shape`` lies to ``other``: boxes apart along that axis, and the direction within 27 degrees of it."""
    across, down = shape.centre[0] - other.centre[0], shape.centre[1] - other.centre[1]
    if gap_between(shape, other, 0) > 0 and 2 * abs(down) <= abs(across):
        return RELATIONS[0] if across < 0 else RELATIONS[1]
    if gap_between(shape, other, 1) > 0 and 2 * abs(across) <= abs(down):
        return RELATIONS[2] if down < 0 else RELATIONS[3]
    return None


def gap_between(shape: Shape, other: Shape, axis: int) -> int:
    """Pixels between two boxes along x (0) or y (1); negative where they overlap."""
    return max(shape.box[axis], other.box[axis]) - min(shape.box[axis + 2], other.box[axis + 2])


def nearest_neighbour(scene: Scene, index: int) -> tuple[str, Shape] | None:
    """The nearest shape that a relation holds to, if one lies at most ``NEAR`` pixels away."""
    shape = scene.shapes[index]

    def distance(pair: tuple[str, Shape]) -> int:
        return max(gap_between(shape, pair[1], 0), gap_between(shape, pair[1], 1))

    nearest = min(relations(scene, index), key=distance, default=None)
    return nearest if nearest is not None and distance(nearest) <= NEAR else None


def with_article(article: str, words: str) -> str:
    """The words behind an article, "a" becoming "an" where it must."""
    if article == "a" and words[0] in "aeiou":
        article = "an"
    return f"{article} {words}".strip()


def _attribute(dice: Dice, shape: Shape) -> str:
    sizes = SIZE_WORDS[shape.size_class]
    size = dice.choice(sizes) if sizes and dice.chance(0.75) else ""
    words = [size, shape.texture, shape.name]
    if shape.texture == "plain":
        words = [size, shape.name]
    elif dice.chance(0.3):
        words = [size, shape.name, "with", PATTERN_WORDS[shape.texture]]
    return with_article(dice.weighted(ARTICLES), " ".join(filter(None, words)))


def _attribute_words(shape: Shape) -> list[list[str]]:
    """The words of every attribute phrase, without article; an absent word is empty."""
    sizes = ("", *SIZE_WORDS[shape.size_class])
    if shape.texture == "plain":
        return [[size, shape.name] for size in sizes]
    before = [[size, shape.texture, shape.name] for size in sizes]
    return before + [[size, shape.name, "with", PATTERN_WORDS[shape.texture]] for size in sizes]
