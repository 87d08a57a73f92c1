"""Scenes: reproducible, apart, held-out layouts new, phrases true of what they describe and of nothing else."""

import re
from collections import Counter

import numpy as np
import pytest
from PIL import ImageChops

from densecap.data.shapes import scene_of, true_phrases, true_phrases_of_box
from densecap.data.shapes.dice import Dice
from densecap.data.shapes.grammar import phrases
from densecap.data.shapes.painting import paint
from densecap.data.shapes.sampling import FIRST_IDS, allowed_splits
from densecap.data.shapes.scene import COLOURS, KINDS, PATTERN_TONES, Scene, Shape
from densecap.data.shapes.sentences import sentences
from densecap.data.shapes.writing import COUNTS, image_ids


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [scene_of(image_id) for image_id in image_ids("train", 300)]


def test_scenes_are_the_same_everywhere() -> None:
    """The first scene of the data set, written down once: it may never change without a new version of the data."""
    scene = scene_of(1)
    assert (scene.height, scene.width, scene.background.style) == (256, 256, "tiled")
    assert [(shape.texture, shape.name, shape.box) for shape in scene.shapes] == FIRST_SCENE
    assert scene_of(1) == scene
    assert scene_of(1, seed=7) != scene != scene_of(2)


def test_dice_are_fair_and_cover_their_range() -> None:
    dice = Dice(5, 6)
    draws = Counter(dice.integer(2, 5) for _ in range(4000))
    assert sorted(draws) == [2, 3, 4, 5]
    assert all(abs(count - 1000) < 150 for count in draws.values())
    weighted = Counter(dice.weighted({"a": 3.0, "b": 1.0}) for _ in range(4000))
    assert abs(weighted["a"] - 3000) < 150
    assert sorted(dice.shuffled(range(9))) == list(range(9))
    assert Dice(1, 23).uniform() != Dice(12, 3).uniform()


def test_three_to_eight_shapes_inside_the_picture_and_apart(scenes: list[Scene]) -> None:
    assert {len(scene.shapes) for scene in scenes} == set(range(3, 9))
    for scene in scenes:
        assert min(scene.height, scene.width) >= 192
        boxes = np.array([shape.box for shape in scene.shapes])
        assert (boxes[:, :2] >= 0).all() and (boxes[:, 2:] <= (scene.width, scene.height)).all()
        for first in range(len(boxes)):
            for second in range(first):
                overlap = np.minimum(boxes[first, 2:], boxes[second, 2:]) > np.maximum(
                    boxes[first, :2], boxes[second, :2]
                )
                assert not overlap.all()


def test_every_kind_colour_and_texture_occurs_and_only_clear_sizes_have_names(scenes: list[Scene]) -> None:
    shapes = [shape for scene in scenes for shape in scene.shapes]
    assert {shape.kind for shape in shapes} == set(KINDS)
    assert {shape.colour for shape in shapes} == set(COLOURS)
    assert min(Counter(shape.texture for shape in shapes).values()) > len(shapes) / 20
    sides = {name: [s.size for s in shapes if s.size_class == name] for name in ("small", "medium", "large")}
    assert max(sides["small"]) * 1.25 < min(sides["medium"])
    assert max(sides["medium"]) * 1.2 < min(sides["large"])


def test_no_held_out_layout_occurs_in_training() -> None:
    """For the data set as it is made: seeds apart by construction, layouts apart by the hash that chooses the split."""
    layouts = {split: [scene_of(i).layout for i in image_ids(split, COUNTS[split])] for split in COUNTS}
    training = set(layouts["train"])
    assert not training & set(layouts["val"]) and not training & set(layouts["test"])
    assert not set(layouts["val"]) & set(layouts["test"])
    numbers = [scene_of(first).numbers for first in FIRST_IDS.values()]
    assert len(set(numbers)) == 3


def test_the_split_is_decided_by_the_layout_alone(scenes: list[Scene]) -> None:
    for scene in scenes:
        assert allowed_splits(scene) == {"train"}
    assert all(allowed_splits(scene_of(i)) == {"val"} for i in image_ids("val", 20))


def test_painted_shapes_fill_their_boxes_exactly(scenes: list[Scene]) -> None:
    """The pixels that one shape visibly changes span its box to within a pixel, two at the tips of hearts and stars."""
    for scene in scenes[:60]:
        for index, shape in enumerate(scene.shapes):
            others = scene.shapes[:index] + scene.shapes[index + 1 :]
            without = paint(Scene(**{**vars(scene), "shapes": others}))
            changed = ImageChops.difference(paint(scene), without).convert("L").point(lambda value: 255 * (value > 24))
            allowed = 2 if shape.kind in ("heart", "star", "diamond", "triangle") else 1
            assert np.abs(np.array(changed.getbbox()) - np.array(shape.box)).max() <= allowed, shape


def test_painted_colours_are_the_named_ones(scenes: list[Scene]) -> None:
    """Every shape shows enough of its colour, and of its pattern's tone if and only if it has a pattern."""
    for scene in scenes[:60]:
        pixels = np.asarray(paint(scene)).astype(int)
        for shape in scene.shapes:
            x1, y1, x2, y2 = shape.box
            patch = pixels[y1:y2, x1:x2].reshape(-1, 3)
            filled = (np.abs(patch - COLOURS[shape.colour]).max(axis=1) < 6).mean()
            toned = (np.abs(patch - PATTERN_TONES[shape.colour]).max(axis=1) < 6).mean()
            assert filled > 0.08, shape
            assert (toned > 0.03) == (shape.texture != "plain"), shape


PHRASE = re.compile(
    r"(?:(?P<article>a|an|the) )?(?:(?P<size>small|little|large|big) )?(?:(?P<texture>striped|dotted) )?"
    r"(?P<colour>\w+) (?P<kind>\w+)(?: with (?P<pattern>stripes|dots))?"
    r"(?: (?P<relation>to the left of|to the right of|above|below) (?:a|an|the) (?P<colour2>\w+) (?P<kind2>\w+))?"
)
PATTERNS = {"striped": "stripes", "dotted": "dots"}


def fits(phrase: str, shape: Shape, scene: Scene) -> bool:
    """Whether a phrase holds, worked out from its words and the boxes, apart from the grammar's own code."""
    found = PHRASE.fullmatch(phrase)
    assert found is not None, phrase
    words = found.groupdict()
    if (words["colour"], words["kind"]) != (shape.colour, shape.kind):
        return False
    if words["size"] and (words["size"] in ("small", "little"), shape.size_class) not in (
        (True, "small"),
        (False, "large"),
    ):
        return False
    pattern = PATTERNS.get(words["texture"] or "", words["pattern"])
    if words["relation"] is None:
        return pattern == PATTERNS.get(shape.texture)
    partners = [s for s in scene.shapes if s is not shape and (s.colour, s.kind) == (words["colour2"], words["kind2"])]
    return any(words["relation"] == direction(shape, partner) for partner in partners)


def direction(shape: Shape, partner: Shape) -> str | None:
    (x1, y1, x2, y2), (u1, v1, u2, v2) = shape.box, partner.box
    dx, dy = abs(shape.centre[0] - partner.centre[0]), abs(shape.centre[1] - partner.centre[1])
    if dx >= 2 * dy:
        return "to the left of" if x2 < u1 else "to the right of" if x1 > u2 else None
    if dy >= 2 * dx:
        return "above" if y2 < v1 else "below" if y1 > v2 else None
    return None


def test_phrases_are_true_varied_and_short(scenes: list[Scene]) -> None:
    for scene in scenes:
        for index, shape in enumerate(scene.shapes):
            made = phrases(scene, index)
            assert len(set(made)) == 2
            for phrase in made:
                assert phrase in true_phrases(scene, index)
                assert fits(phrase, shape, scene)
                assert len(phrase.split()) <= 12
                assert not re.search(r"\ba [aeiou]|\ban [^aeiou]", phrase)


def test_true_phrases_are_all_that_fit_and_nothing_else(scenes: list[Scene]) -> None:
    """Of everything said of any shape of a scene, a shape's own set holds just what fits it."""
    for scene in scenes[:80]:
        sets = [true_phrases(scene, index) for index in range(len(scene.shapes))]
        for own, shape in zip(sets, scene.shapes):
            for phrase in frozenset().union(*sets):
                assert (phrase in own) == fits(phrase, shape, scene), (phrase, shape)


def test_wordings_vary(scenes: list[Scene]) -> None:
    made = [phrase for scene in scenes for index in range(len(scene.shapes)) for phrase in phrases(scene, index)]
    share = {
        word: sum(f" {word} " in f" {phrase} " for phrase in made) / len(made) for word in ("a", "the", "of", "with")
    }
    assert share["a"] > 0.3 and share["the"] > 0.1 and share["of"] > 0.05 and share["with"] > 0.03


def test_true_phrases_of_a_box_are_those_of_the_shape_in_it() -> None:
    scene = scene_of(3)
    for index, shape in enumerate(scene.shapes):
        moved = [edge + 2.5 for edge in shape.box]
        assert true_phrases_of_box(3, moved) == true_phrases(scene, index)
    assert true_phrases_of_box(3, (0, 0, scene.width, scene.height)) == frozenset()


def test_sentences_are_three_to_five_different_ones(scenes: list[Scene]) -> None:
    for scene in scenes:
        made = sentences(scene)
        assert 3 <= len(made) == len(set(made)) <= 5
        for sentence in made:
            assert len(sentence.replace(",", "").split()) <= 20
            counts = re.findall(r"(three|four|five|six|seven|eight) shapes", sentence)
            names = ("", "", "", "three", "four", "five", "six", "seven", "eight")
            assert all(count == names[len(scene.shapes)] for count in counts)


FIRST_SCENE = [
    ("dotted", "black circle", (130, 151, 159, 180)),
    ("striped", "pink circle", (104, 42, 139, 77)),
    ("plain", "green diamond", (12, 10, 50, 58)),
    ("plain", "yellow square", (34, 90, 81, 137)),
    ("dotted", "green circle", (92, 214, 124, 246)),
]
