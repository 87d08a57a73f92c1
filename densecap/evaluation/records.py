"""One record per image of the split, from what was predicted and what is true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from densecap.evaluation.joining import Joined, counted, named
from densecap.evaluation.predictions import PredictedImage, Predictions
from densecap.evaluation.truth import Truth, TruthImage
from densecap.metrics.dense_map.geometry import merge_truths, overlaps
from densecap.metrics.dense_map.records import DenseRecord, on_truth_boxes

#: Width over height of two sizes of one picture may differ by this share, from rounding.
SAME_SHAPE = 0.02
#: A predicted box is a true one when no corner is further away than so many original pixels.
SAME_BOX = 1.0


def to_original_size(found: Sequence[PredictedImage | None], images: Sequence[TruthImage]) -> list[str]:
    """Scale the numbers of entries that state another size of the same shape, in place; sentences about the rest.

    A file of predictions on resized copies of the photos says their size, so its boxes can be brought back.
    """
    scaled, odd = [], []
    for entry, truth in zip(found, images):
        if entry is None or entry.width is None or entry.height is None:
            continue
        if (entry.width, entry.height) == (truth.width, truth.height):
            continue
        factors = truth.width / entry.width, truth.height / entry.height
        if abs(factors[0] / factors[1] - 1) <= SAME_SHAPE:
            entry.numbers = entry.numbers * np.tile(factors, 2)
            scaled.append(truth.image_id)
        else:
            odd.append(
                f"{truth.image_id} ({entry.width:g} x {entry.height:g}, annotated {truth.width} x {truth.height})"
            )
        entry.width, entry.height = float(truth.width), float(truth.height)
    notes = []
    if scaled:
        count = counted(len(scaled), "image")
        notes.append(f"boxes of {count} were predicted at another size of the picture and scaled to it")
    if odd:
        count = counted(len(odd), "image")
        notes.append(f"{count} of another shape than was annotated, boxes taken as they are: {named(odd)}")
    return notes


def records_of(predictions: Predictions, joined: Joined, truth: Truth) -> list[DenseRecord]:
    """In the order of the split; an image without an entry has nothing predicted.

    A caption of a whole image stands on a box of the whole image with score 1.
    """
    return [_record(predictions, entry, image) for entry, image in zip(joined.found, truth.images)]


def _record(predictions: Predictions, entry: PredictedImage | None, image: TruthImage) -> DenseRecord:
    boxes, scores = np.zeros((0, 4)), np.zeros(0)
    if entry is not None and predictions.whole_images:
        boxes, scores = np.array([[0.0, 0.0, image.width, image.height]]), np.ones(1)
    elif entry is not None:
        boxes, scores = predictions.form.boxes(entry.numbers, image.width, image.height), entry.scores
    captions = [] if entry is None else entry.captions
    return DenseRecord(image.image_id, image.width, image.height, boxes, scores, captions, image.boxes, image.captions)


def captions_on_truth(record: DenseRecord) -> DenseRecord | None:
    """The record of the second protocol, when there is a predicted box for every true one; else None.

    Each true box takes the nearest box that none before it has taken.
    """
    if not len(record.truth_boxes):
        return on_truth_boxes(record, [])
    if len(record.boxes) < len(record.truth_boxes):
        return None
    distance = np.abs(record.truth_boxes[:, None] - record.boxes).max(axis=-1)  # (M, D)
    chosen = np.zeros(len(distance), np.int64)
    for row, own in enumerate(distance):
        chosen[row] = own.argmin()
        if own[chosen[row]] > SAME_BOX:
            return None
        distance[:, chosen[row]] = np.inf
    return on_truth_boxes(record, [record.captions[place] for place in chosen.tolist()], record.scores[chosen])


def one_per_merged(record: DenseRecord) -> DenseRecord:
    """Of a record on true boxes, the box nearest to each merged truth: dense mAP counts a second one as wrong."""
    merged, groups = merge_truths(record.truth_boxes)
    overlap = overlaps(merged, record.boxes)
    rows = [int(members[overlap[group][members].argmax()]) for group, members in enumerate(groups)]
    captions = [record.captions[row] for row in rows]
    return replace(record, boxes=record.boxes[rows], scores=record.scores[rows], captions=captions)


def odd_captions(predictions: Predictions) -> list[str]:
    """Sentences about captions that count, but not as one might think."""
    captions = [(image.where, text) for image in predictions.images for text in image.captions]
    kinds = (
        ("without words, scored 0", [where for where, text in captions if not text.strip()]),
        ("of several lines, read as one", [where for where, text in captions if "\n" in text.strip()]),
        ("with |||, which is left out", [where for where, text in captions if "|||" in text]),
    )
    return [f"{counted(len(where), 'caption')} {words}, first in {where[0]}" for words, where in kinds if where]
