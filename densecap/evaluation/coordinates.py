"""Are the boxes in the coordinates they are said to be in? Mixed-up coordinates look like a hopeless model.

The four numbers of every box are read in all the ways people write boxes (corners, corner and size, centre and size;
in original pixels, in pixels of a resized image, in fractions), and it is looked how well each reading fits the truth:
the mean over true boxes of the best overlap with a predicted one. Another reading than the file's is believed only

* when all numbers are fractions (nobody's boxes all lie within one pixel), or
* when it fits well (.4) where the file's reading does not, by .15 in the mean and in three images of four, on at least
  ten true boxes, and leaves boxes inside their images.

A model that knows nothing fits badly in every reading, so it raises no alarm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from densecap.errors import UserError
from densecap.evaluation.boxes import LAYOUTS, BoxForm
from densecap.evaluation.predictions import PredictedImage, Predictions
from densecap.evaluation.truth import TruthImage
from densecap.metrics.dense_map.geometry import overlaps
from densecap.metrics.dense_map.records import Floats

Pair = tuple[PredictedImage, TruthImage]

#: Longest sides that images are commonly resized to.
COMMON_SIZES = (224, 256, 300, 320, 384, 400, 416, 448, 480, 500, 512, 600, 640, 720, 800, 1000, 1024, 1280, 1333)
#: At most so many images, and boxes of each, are looked at.
MAX_IMAGES, MAX_BOXES = 100, 100
#: A box is outside when it reaches beyond its image by more pixels and by a larger share of the side than these.
SLACK_PIXELS, SLACK_SHARE = 2.0, 0.01
GOOD_FIT, BETTER_BY, IN_SHARE_OF_IMAGES, LEAST_TRUTHS, LEAST_INSIDE = 0.4, 0.15, 0.75, 10, 0.9


@dataclass(frozen=True)
class CoordinateCheck:
    """``outside`` counts boxes; ``fit`` is the mean best overlap of the declared form.

    ``suspicion`` is one sentence that says what the boxes seem to be, "" when they seem right; ``notes`` sentences
    about what is odd but is scored as it is.
    """

    form: str
    boxes: int
    outside: int
    fit: float | None
    suspicion: str
    notes: tuple[str, ...]


def check_coordinates(
    predictions: Predictions, pairs: Sequence[Pair], stored_size: int | None = None
) -> CoordinateCheck:
    """Look at all boxes; ``stored_size`` is the longest side of the prepared images, one more size to try.

    Errors: UserError for a box of negative size, naming the entry and what the file's boxes seem to be.
    """
    pairs = [pair for pair in pairs if len(pair[0].numbers)]
    outside, inside_out = _extremes(predictions.form, pairs)
    fits = _fits(predictions.form, _sample(pairs), stored_size)
    other = _better_form(predictions.form, pairs, fits)
    if inside_out:
        raise UserError(_negative_size(predictions, inside_out, other))
    total = sum(len(image.numbers) for image, _ in pairs)
    suspicion = "" if other is None else _suspicion(predictions, other, fits)
    notes = () if not outside or suspicion else (_outside_note(predictions, outside, total),)
    own = fits.get(predictions.form)
    fit = None if own is None or not len(own) else float(own.mean())
    return CoordinateCheck(predictions.form.words, total, len(outside), fit, suspicion, notes)


def _extremes(form: BoxForm, pairs: Sequence[Pair]) -> tuple[list[str], list[str]]:
    """Boxes, each in words, that reach outside their image, and that have a negative side."""
    outside: list[str] = []
    inside_out: list[str] = []
    for image, truth in pairs:
        boxes = form.boxes(image.numbers, truth.width, truth.height)
        for kind, rows in (
            (outside, ~is_inside(boxes, truth.width, truth.height)),
            (inside_out, (boxes[:, 2:] < boxes[:, :2]).any(axis=1)),
        ):
            numbers = image.numbers[rows].round(2).tolist()
            kind += [f"{image.where}, box {row} is {box}" for row, box in zip(np.flatnonzero(rows), numbers)]
    return outside, inside_out


def is_inside(boxes: Floats, width: float, height: float) -> np.ndarray:
    """(D,) whether boxes lie in the image, up to the slack."""
    sides = np.array([width, height, width, height], np.float64)
    slack = np.maximum(SLACK_PIXELS, SLACK_SHARE * sides)
    return np.all((boxes >= -slack) & (boxes <= sides + slack), axis=1)


def _sample(pairs: Sequence[Pair]) -> list[Pair]:
    """Images with truths, evenly spread over the split."""
    pairs = [pair for pair in pairs if len(pair[1].boxes)]
    return (
        [pairs[place] for place in np.unique(np.linspace(0, len(pairs) - 1, MAX_IMAGES).astype(int))] if pairs else []
    )


def _fits(own: BoxForm, pairs: Sequence[Pair], stored_size: int | None) -> dict[BoxForm, Floats]:
    """Per form the best overlaps (M,) of the true boxes of all images of the sample."""
    sizes = [*COMMON_SIZES, *([stored_size] if stored_size else [])]
    units = ["original", "normalised", *dict.fromkeys(sizes)]
    forms = [own, *(BoxForm(layout, unit) for layout in LAYOUTS for unit in units)]  # type: ignore[arg-type]
    fits = {own: _best_overlaps(own, pairs)}
    if len(fits[own]) and fits[own].mean() + BETTER_BY <= 1:
        fits |= {form: _best_overlaps(form, pairs) for form in dict.fromkeys(forms) if form != own}
    return fits


def _best_overlaps(form: BoxForm, pairs: Sequence[Pair]) -> Floats:
    best = [np.zeros(0)]
    for image, truth in pairs:
        order = np.argsort(-image.scores, kind="stable")[:MAX_BOXES]
        boxes = form.boxes(image.numbers[order], truth.width, truth.height)
        boxes = boxes[(boxes[:, 2:] >= boxes[:, :2]).all(axis=1)]
        truths = truth.boxes[:MAX_BOXES]
        best.append(overlaps(truths, boxes).max(axis=1) if len(boxes) else np.zeros(len(truths)))
    return np.concatenate(best)


def _better_form(own: BoxForm, pairs: Sequence[Pair], fits: dict[BoxForm, Floats]) -> BoxForm | None:
    """The form the boxes seem to have, or None when that is the file's or nothing is clear."""
    fractions = bool(pairs) and all((np.abs(image.numbers) <= 1.01).all() for image, _ in pairs)
    candidates = {form: values for form, values in fits.items() if (form.unit == "normalised") == fractions}
    candidates.pop(own, None)
    if not candidates or own.unit == "normalised":
        return None
    other = max(candidates, key=lambda form: candidates[form].mean() if len(candidates[form]) else 0.0)
    if fractions:
        return other if candidates[other].sum() > 0 else None
    return other if _is_convincing(fits[own], fits[other], other, own, _sample(pairs)) else None


def _is_convincing(own_fit: Floats, other_fit: Floats, other: BoxForm, own: BoxForm, pairs: Sequence[Pair]) -> bool:
    if len(own_fit) < LEAST_TRUTHS or other_fit.mean() < max(GOOD_FIT, own_fit.mean() + BETTER_BY):
        return False
    ends = np.cumsum([min(len(truth.boxes), MAX_BOXES) for _, truth in pairs])[:-1]
    means = zip(np.split(own_fit, ends), np.split(other_fit, ends))
    wins = [theirs.mean() > ours.mean() for ours, theirs in means]
    inside = [is_inside(other.boxes(image.numbers, t.width, t.height), t.width, t.height) for image, t in pairs]
    return bool(np.mean(wins) >= IN_SHARE_OF_IMAGES and np.concatenate(inside).mean() >= LEAST_INSIDE)


def _suspicion(predictions: Predictions, other: BoxForm, fits: dict[BoxForm, Floats]) -> str:
    words = f"the boxes in {predictions.path} seem to be {other.words}, not {predictions.form.words}"
    if len(fits[other]):
        ours, theirs = fits[predictions.form].mean(), fits[other].mean()
        words += f" (true boxes are overlapped by {theirs:.2f} in the mean when read so, by {ours:.2f} as they are)"
    return f"{words}: {_remedy(predictions.form, other)}"


def _remedy(own: BoxForm, other: BoxForm) -> str:
    if other.layout == own.layout and own.unit == "original":
        return "scale them to the original images" + (
            ", x by width and y by height" if other.unit == "normalised" else ""
        )
    return f"write them as {own.words}"


def _negative_size(predictions: Predictions, examples: list[str], other: BoxForm | None) -> str:
    hint = "width and height must not be negative" if predictions.form.layout == "xywh" else "x2 >= x1 and y2 >= y1"
    share = f"{len(examples)} boxes have" if len(examples) > 1 else "a box has"
    text = f"{share} a negative side, first: {examples[0]}; boxes are {predictions.form.words}, so {hint}"
    return text if other is None else f"{text}; they seem to be {other.words}: {_remedy(predictions.form, other)}"


def _outside_note(predictions: Predictions, examples: list[str], total: int) -> str:
    return (
        f"boxes that reach outside their images, scored as they are: {len(examples):,} of {total:,}, "
        f"first: {examples[0]} (boxes are read as {predictions.form.words})"
    )
