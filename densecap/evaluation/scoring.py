"""From predictions and truth to an ``Evaluation``: join, check, measure, report."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any

from densecap.errors import UserError
from densecap.evaluation.figures import (
    CAPTION_METRICS,
    NEEDS_BOXES,
    NEEDS_METEOR,
    NEEDS_MODEL,
    Choice,
    Dense,
    caption_figures,
    dense_figures,
    language_figures,
    truth_captions,
)
from densecap.evaluation.parts import TITLES, Part, join_part, on_true_boxes
from densecap.evaluation.predictions import Predictions
from densecap.evaluation.result import Evaluation
from densecap.evaluation.schema import REPORT_VERSION, versions
from densecap.evaluation.truth import Truth
from densecap.metrics.meteor import Meteor, MeteorUnavailable
from densecap.text.vocabulary import Vocabulary

#: METEOR takes up to 300 MB a process.
MOST_METEOR_PROCESSES = 4


@dataclass
class Inputs:
    """What is scored: ``predicted``, and ``on_truth`` for the second protocol, without which the first file is searched
    for the true boxes. ``model`` are the figures that only a model gives, for the report. ``strict``: boxes that seem
    to be in other coordinates end the evaluation instead of raising a warning. ``meteor_backend`` and
    ``meteor_processes`` (None: one a core, at most four) as in ``Meteor``. ``warnings`` go into the report.
    """

    truth: Truth
    predicted: Predictions
    on_truth: Predictions | None = None
    model: dict[str, Any] | None = None
    strict: bool = True
    meteor_backend: str = "python"
    meteor_processes: int | None = None
    warnings: list[str] = field(default_factory=list)


def evaluate(inputs: Inputs, choice: Choice, say: Callable[[str], None] = lambda text: None) -> Evaluation:
    """Score everything that was asked for and can be; ``say`` is told what is being done.

    Errors: UserError for predictions that cannot be scored, see ``parts``.
    """
    start = time.perf_counter()
    parts = _parts(inputs, choice)
    report = _head(inputs, choice, parts)
    meteor = _open_meteor(inputs, choice, report)
    words = inputs.predicted.vocabulary
    vocabulary = None if words is None else Vocabulary(words)
    dense: dict[str, Dense] = {}
    with meteor or nullcontext():
        for part in parts:
            say(f"scoring {TITLES[part.protocol]}")
            figures, dense[part.protocol] = _measure(part, choice, meteor, vocabulary)
            report["protocols"][part.protocol] = figures
    if vocabulary is None and any(part.captions is None for part in parts) and choice.asks("dense_map"):
        report["warnings"].append(f"{inputs.predicted.path} carries no vocabulary: references are taken as annotated")
    report |= {"versions": versions(), "seconds": round(time.perf_counter() - start, 3)}
    main = dense[parts[0].protocol]
    return Evaluation(report, parts[0].ranked, main.judged, main.scores, inputs.truth.load_image)


def _parts(inputs: Inputs, choice: Choice) -> list[Part]:
    """The parts to measure, the main one first."""
    first = join_part(inputs.predicted, inputs.truth, inputs.strict)
    if first.captions is not None or choice.protocol == "predicted":
        return [first]
    source = first if inputs.on_truth is None else join_part(inputs.on_truth, inputs.truth, inputs.strict)
    second = on_true_boxes(source)
    if choice.protocol == "both":
        return [first] if second is None else [first, second]
    if second is None:
        raise UserError(
            f"protocol=truth needs a caption for every true box, and {source.source['file']} lacks some: "
            "evaluate with ckpt=PATH, or take protocol=predicted"
        )
    return [second]


def _head(inputs: Inputs, choice: Choice, parts: list[Part]) -> dict[str, Any]:
    truth = inputs.truth
    data = {"name": truth.name, "split": truth.split, "file": str(truth.path), "images": len(truth.images)}
    data |= {"regions": truth.num_regions, "split_images": truth.split_size, "sources": truth.sources()}
    return {
        "version": REPORT_VERSION,
        "data": data,
        "predictions": {part.protocol: part.source for part in parts},
        "coverage": {part.protocol: part.coverage for part in parts},
        "coordinates": {part.protocol: part.coordinates for part in parts if part.coordinates},
        "protocols": {},
        "model": inputs.model,
        "settings": asdict(choice),
        "skipped": _skipped(inputs, choice, parts),
        "warnings": list(dict.fromkeys([*inputs.warnings, *(text for part in parts for text in part.warnings)])),
    }


def _skipped(inputs: Inputs, choice: Choice, parts: list[Part]) -> dict[str, str]:
    """What was asked for and these parts do not give, each with the reason."""
    protocols = [part.protocol for part in parts]
    reasons: dict[str, str] = {}
    if "images" in protocols:
        reasons |= dict.fromkeys(NEEDS_BOXES, "needs boxes, which captions of whole images have not")
    elif "truth" not in protocols:
        remedy = "protocol=both has them" if choice.protocol == "predicted" else "ckpt=PATH makes them"
        reasons |= dict.fromkeys(CAPTION_METRICS, f"needs captions for true boxes: {remedy}")
    elif "predicted" not in protocols:
        reasons["language_meteor"] = "needs predicted boxes: protocol=both has them"
    if inputs.model is None:
        reasons |= dict.fromkeys(NEEDS_MODEL, "needs a model: give ckpt=PATH")
    else:
        if "proposal_recall" not in inputs.model:
            reasons["proposal_recall"] = "needs a model that finds boxes"
        if "retrieval" not in inputs.model:
            reasons["retrieval"] = "needs a model of whole images; search finds regions in a folder of photos"
    return {name: reasons[name] for name in choice.metrics if name in reasons}


def _open_meteor(inputs: Inputs, choice: Choice, report: dict[str, Any]) -> Meteor | None:
    """METEOR if something needs it and it is installed; else the report says what is skipped and why."""
    if not choice.asks(*NEEDS_METEOR):
        return None
    try:
        return Meteor(inputs.meteor_backend, inputs.meteor_processes or min(os.cpu_count() or 1, MOST_METEOR_PROCESSES))
    except MeteorUnavailable as error:
        report["skipped"] |= {name: str(error) for name in NEEDS_METEOR if name in choice.metrics}
        return None


def _measure(
    part: Part, choice: Choice, meteor: Meteor | None, vocabulary: Vocabulary | None
) -> tuple[dict[str, Any], Dense]:
    """The figures of one protocol."""
    if part.captions is not None:
        references = [record.truth_captions for record in part.records]
        return {"captions": caption_figures(part.captions, references, choice, meteor)}, Dense()
    dense = dense_figures(part.ranked, choice, meteor, vocabulary)
    figures: dict[str, Any] = {"boxes_kept": sum(len(record.boxes) for record in part.ranked)}
    figures["dense_map"] = dense.figures
    if part.protocol == "truth" and choice.asks(*CAPTION_METRICS):
        figures["captions"] = caption_figures(*truth_captions(part.records), choice, meteor)
    if part.protocol == "predicted" and choice.asks("language_meteor") and meteor is not None:
        figures["language_meteor"] = language_figures(part.records, meteor, choice.language_captions)
    return figures, dense
