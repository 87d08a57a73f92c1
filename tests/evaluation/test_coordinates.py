"""Boxes in other coordinates than a file's format says are recognised, and poor models are left alone."""

from pathlib import Path

import numpy as np
import pytest

from densecap.data.hdf5 import RegionFile
from densecap.errors import UserError
from densecap.evaluation.formats.table import read_predictions
from densecap.evaluation.parts import join_part
from densecap.evaluation.truth import Truth
from tests.fakes import split as fakes


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    return Truth(RegionFile(fakes.write_split(tmp_path_factory.mktemp("split") / "fake.h5", 12)), "test")


def broken(truth: Truth, change) -> list[dict]:
    """Somewhat wrong predictions without sizes whose boxes went through ``change(box, width, height)``."""
    images = fakes.predictions_of(truth, spoil=0.1)
    for image in images:
        width, height = image.pop("width"), image.pop("height")
        for region in image["regions"]:
            region["box"] = np.asarray(change(np.array(region["box"]), width, height), float).tolist()
    return images


def xywh(box, width, height):
    return [*box[:2], *(box[2:] - box[:2])]


def cxcywh(box, width, height):
    return [*(box[:2] + box[2:]) / 2, *(box[2:] - box[:2])]


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda box, w, h: box * 720 / max(w, h), "resized to a longest side of 720, not corners .*: scale them"),
        (lambda box, w, h: box * 256 / max(w, h), "resized to a longest side of 256, not corners .*: scale them"),
        (lambda box, w, h: box / [w, h, w, h], "in fractions .*: scale them to the original images, x by width"),
    ],
    ids=["720", "256", "fractions"],
)
def test_another_scale(truth: Truth, tmp_path: Path, change, words: str) -> None:
    predictions = read_predictions(fakes.write_own(tmp_path / "file", broken(truth, change)))
    with pytest.raises(UserError, match=f"the boxes in .*file seem to be corners .*{words}.*check_coordinates=false"):
        join_part(predictions, truth)
    part = join_part(predictions, truth, strict=False)
    assert len(part.warnings) == 1 and "seem to be" in part.warnings[0]
    assert "\n" not in part.warnings[0]


@pytest.mark.parametrize(
    "change, words", [(xywh, "corner and size"), (cxcywh, "centre and size")], ids=["xywh", "cxcywh"]
)
def test_sizes_in_place_of_corners(truth: Truth, tmp_path: Path, change, words: str) -> None:
    predictions = read_predictions(fakes.write_own(tmp_path / "file", broken(truth, change)))
    with pytest.raises(
        UserError, match=f"negative side, first: .*images.*they seem to be {words}.*write them as corners"
    ):
        join_part(predictions, truth, strict=False)


@pytest.mark.parametrize(
    "change, words",
    [(lambda box, w, h: box, "corners"), (cxcywh, "centre and size"), (lambda box, w, h: [*box / 2], "")],
    ids=["corners", "centres", "half"],
)
def test_other_layouts_in_coco_detections(truth: Truth, tmp_path: Path, change, words: str) -> None:
    """``write_coco`` takes x1, y1 off the last two numbers, so they are put there before."""
    images = broken(
        truth, lambda box, w, h: (lambda new: [*new[:2], *(new[:2] + new[2:])])(np.array(change(box, w, h)))
    )
    predictions = read_predictions(fakes.write_coco(tmp_path / "file", images))
    if words:
        with pytest.raises(UserError, match=f"seem to be {words}.*, not corner and size"):
            join_part(predictions, truth)
    else:
        assert "seem to be" not in " ".join(join_part(predictions, truth).warnings)


@pytest.mark.parametrize("kind", ["anywhere", "tiny", "whole", "centre", "anchors", "nothing"])
@pytest.mark.parametrize("seed", range(3))
def test_a_model_that_knows_nothing_raises_no_alarm(truth: Truth, tmp_path: Path, kind: str, seed: int) -> None:
    generator = np.random.default_rng(seed)

    def one(width, height):
        if kind == "whole":
            return [0, 0, width, height]
        middle = np.array([0.5, 0.5]) if kind == "centre" else generator.uniform(0.05, 0.95, 2)
        half = generator.uniform(*{"tiny": (0.001, 0.02), "centre": (0.05, 0.5)}.get(kind, (0.02, 0.5)), 2)
        corners = np.concatenate((middle - half, middle + half)).clip(0, 1) * [width, height, width, height]
        return corners.round(2).tolist()

    count = {"nothing": 0, "anchors": 100, "whole": 1}.get(kind, 20)
    images = fakes.predictions_of(truth)
    for image in images:
        boxes = [one(image["width"], image["height"]) for _ in range(count)]
        scores = generator.uniform(size=count).tolist()
        image["regions"] = [
            {"box": box, "score": score, "caption": "red", "log_prob": -1.0} for box, score in zip(boxes, scores)
        ]
    assert join_part(read_predictions(fakes.write_own(tmp_path / "file", images)), truth).warnings == []


def test_boxes_of_resized_copies_that_say_their_size_are_brought_back(truth: Truth, tmp_path: Path) -> None:
    images = fakes.predictions_of(truth)
    for image in images:
        for region in image["regions"]:
            region["box"] = [value / 2 for value in region["box"]]
        image["width"], image["height"] = image["width"] // 2, image["height"] // 2
    part = join_part(read_predictions(fakes.write_own(tmp_path / "file", images)), truth)
    assert part.coordinates is not None and part.coordinates["fit"] > 0.98
    assert part.warnings == ["boxes of 12 images were predicted at another size of the picture and scaled to it"]


def test_a_turned_picture_is_named(truth: Truth, tmp_path: Path) -> None:
    images = fakes.predictions_of(truth)
    images[0]["width"], images[0]["height"] = images[0]["height"], images[0]["width"]
    warnings = join_part(read_predictions(fakes.write_own(tmp_path / "file", images)), truth).warnings
    assert (
        "1 image of another shape than was annotated, boxes taken as they are: 13 (480 x 640, annotated 640 x 480)"
        in warnings
    )


def test_boxes_outside_are_counted_and_kept(truth: Truth, tmp_path: Path) -> None:
    images = fakes.predictions_of(truth)
    images[1]["regions"][2]["box"] = [10, 10, 2000, 50]
    part = join_part(read_predictions(fakes.write_own(tmp_path / "file", images)), truth)
    assert len(part.warnings) == 1
    assert part.warnings[0].startswith("boxes that reach outside their images, scored as they are: 1 of 60, first: ")
    assert "images[1], box 2 is [10.0, 10.0, 2000.0, 50.0]" in part.warnings[0]
    assert part.records[1].boxes[2].tolist() == [10, 10, 2000, 50]
