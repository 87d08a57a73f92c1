"""Predictions brought together with the truth, ready to be measured: one part per protocol."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from densecap.errors import UserError
from densecap.evaluation.coordinates import check_coordinates
from densecap.evaluation.document import sha256_of
from densecap.evaluation.joining import Joined, counted, join, named
from densecap.evaluation.predictions import Predictions
from densecap.evaluation.records import captions_on_truth, odd_captions, one_per_merged, records_of, to_original_size
from densecap.evaluation.truth import Truth
from densecap.metrics.dense_map.records import DenseRecord

#: Protocols in words.
TITLES = {
    "predicted": "predicted boxes",
    "truth": "captions for true boxes",
    "images": "captions of whole images",
}


@dataclass
class Part:
    """``records`` in the order of the split; ``captions`` (N) of whole images, "" where there is none, else None.

    ``source``, ``coverage`` and ``coordinates`` are the plain objects of these names in the report.
    """

    protocol: str
    records: list[DenseRecord]
    captions: list[str] | None
    source: dict[str, Any]
    coverage: dict[str, Any]
    coordinates: dict[str, Any] | None
    warnings: list[str]

    @cached_property
    def ranked(self) -> list[DenseRecord]:
        """What dense mAP ranks: of true boxes that it merges, one."""
        return [one_per_merged(record) for record in self.records] if self.protocol == "truth" else self.records


def join_part(predictions: Predictions, truth: Truth, strict: bool = True) -> Part:
    """What was predicted for the split; of predictions with boxes the protocol is "predicted".

    Errors: UserError for what cannot be scored, and when ``strict`` for boxes that seem to be in other coordinates
    than the file's format says.
    """
    joined = join(predictions, truth)
    warnings = [*predictions.notes, *_coverage_warnings(joined, truth), *odd_captions(predictions)]
    source, coverage = _source(predictions), _coverage(joined)
    if predictions.whole_images:
        captions = ["" if entry is None else entry.captions[0] for entry in joined.found]
        return Part("images", records_of(predictions, joined, truth), captions, source, coverage, None, warnings)
    warnings += to_original_size(joined.found, truth.images)
    pairs = [(entry, image) for entry, image in zip(joined.found, truth.images) if entry is not None]
    check = check_coordinates(predictions, pairs, truth.stored_size)
    if check.suspicion and strict:
        raise UserError(f"{check.suspicion}; if they are right as they are, add check_coordinates=false")
    warnings += [*([check.suspicion] if check.suspicion else []), *check.notes]
    records = records_of(predictions, joined, truth)
    return Part("predicted", records, None, source, coverage, asdict(check), warnings)


def on_true_boxes(part: Part) -> Part | None:
    """The part of the second protocol, when every true box of every image is among the predicted ones; else None."""
    records = []
    for record in part.records:
        described = captions_on_truth(record)
        if described is None:
            return None
        records.append(described)
    return Part("truth", records, None, part.source, part.coverage, part.coordinates, part.warnings)


def _source(predictions: Predictions) -> dict[str, Any]:
    model = predictions.model
    return {
        "file": str(predictions.path),
        "sha256": sha256_of(predictions.path),
        "format": predictions.format,
        "boxes": None if predictions.whole_images else predictions.form.words,
        "images": len(predictions.images),
        "captions": predictions.num_captions,
        "model": None if model is None else {key: value for key, value in model.items() if key != "vocabulary"},
        "has_vocabulary": predictions.vocabulary is not None,
    }


def _coverage(joined: Joined) -> dict[str, Any]:
    outside = list(joined.outside)
    return {
        "missing": {"count": len(joined.missing), "first": joined.missing[:20]},
        "outside": {"count": len(outside), "first": outside[:20]},
    }


def _coverage_warnings(joined: Joined, truth: Truth) -> list[str]:
    warnings = []
    if joined.missing:
        count = f"{len(joined.missing)} of {counted(len(truth.images), 'image')} of the split"
        warnings.append(f"no predictions for {count}, counted as having none: {named(joined.missing)}")
    beyond = [name for name, split in joined.outside.items() if split == truth.split]
    others = [name if split is None else f"{name} ({split})" for name, split in joined.outside.items()]
    if len(beyond) < len(joined.outside):
        others = [text for text, name in zip(others, joined.outside) if name not in beyond]
        count = counted(len(others), "image")
        warnings.append(f"predictions of {count} outside the split are left out: {named(others)}")
    return warnings
