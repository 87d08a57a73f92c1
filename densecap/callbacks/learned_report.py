"""What a run has learned, in a few figures and one picture, printed when training ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor

from densecap import checkpoint
from densecap.data.hdf5 import RegionFile
from densecap.data.images import read_image
from densecap.data.shapes import true_phrases_of_box
from densecap.metrics.dense_map.evaluation import score_dense_captions
from densecap.metrics.dense_map.records import DenseRecord
from densecap.metrics.detection import average_precision, proposal_recall
from densecap.metrics.meteor.shared import METEOR_SCORES
from densecap.models.dense_captioner import DenseCaptioner
from densecap.models.image_captioner import ImageCaptioner
from densecap.models.inference import proposals_of
from densecap.ops.boxes import box_area, box_iou
from densecap.prediction.drawing import draw_regions, image_from_tensor, save_sheet
from densecap.structures import RegionPrediction

#: Smaller true boxes need not be found with their phrase.
LEAST_AREA = 32 * 32


@dataclass
class Findings:
    """Per image of the split: truth and proposal boxes, and detections, all in pixels of the stored image.

    Per true box: ``right``, whether its caption is; and per true box of more than 32 x 32 pixels ``named``, whether
    some detection overlaps it by half or more and has a phrase that is right there. ``records`` hold predictions and
    truth in original pixels and raw words, for dense mAP.
    """

    truth: list[Tensor] = field(default_factory=list)
    proposals: list[Tensor] = field(default_factory=list)
    boxes: list[Tensor] = field(default_factory=list)
    scores: list[Tensor] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)
    named: list[bool] = field(default_factory=list)
    pictures: list[tuple[Tensor, list[RegionPrediction]]] = field(default_factory=list)
    records: list[DenseRecord] = field(default_factory=list)

    def figures(self) -> dict[str, float]:
        """The figures of the report, each 0..1; every distinct truth box counts once. Dense mAP only with METEOR."""
        dense = {} if METEOR_SCORES.problem() else {"dense_mAP": self.dense_map()}
        return {
            **dense,
            "proposal_recall@.5": proposal_recall(self.proposals, self.truth, 0.5),
            "proposal_recall@.7": proposal_recall(self.proposals, self.truth, 0.7),
            "detection_AP@.5": average_precision(self.boxes, self.scores, self.truth, 0.5),
            "exact_phrases": sum(self.right) / max(len(self.right), 1),
            "found_and_named@.5": sum(self.named) / max(len(self.named), 1),
        }

    def dense_map(self) -> float:
        """Dense captioning mAP, convention ``standard``. Errors: MeteorUnavailable."""
        return score_dense_captions(self.records, METEOR_SCORES, ["standard"])["standard"].mean_ap


class LearnedReport(pl.Callback):
    """After training: dense mAP, losses, proposal recall, detection AP, exact phrases and a sheet of pictures.

    Works on the best checkpoint and at most ``num_images`` images of ``split``, ``sheet_images`` of which are drawn
    with their predicted boxes that score ``sheet_score`` or more. A phrase is exactly right when it is one of the
    phrases that are true of that box: on ``shapes`` all that the scene's grammar allows, otherwise the annotated ones.
    """

    def __init__(
        self, split: str = "test", num_images: int = 200, sheet_images: int = 9, sheet_score: float = 0.5
    ) -> None:
        self.split, self.num_images = split, num_images
        self.sheet_images, self.sheet_score = sheet_images, sheet_score

    def on_fit_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if not trainer.is_global_zero or trainer.interrupted or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        console = Console(stderr=False)
        best = getattr(trainer.checkpoint_callback, "best_model_path", "")
        model = checkpoint.load(best).model.to(pl_module.device) if best else pl_module.model.eval()
        if isinstance(model, ImageCaptioner):
            console.print("no report of what was learned: it is about boxes, which this model does not look for")
            return
        findings = examine(model, trainer.datamodule.file, self.split, self.num_images)  # type: ignore[attr-defined]
        sheet = Path(trainer.default_root_dir) / "predictions.jpg"
        self._draw(findings, sheet)
        losses = {key: float(value) for key, value in trainer.callback_metrics.items() if key.startswith("val/loss")}
        figures = findings.figures()
        console.print(self._table(findings, figures, losses))
        if "dense_mAP" not in figures:
            console.print(f"no dense mAP: {METEOR_SCORES.problem()}", soft_wrap=True, markup=False)
        console.print(f"pictures of the {self.split} split with predicted boxes and captions: {sheet}", soft_wrap=True)
        for logger in trainer.loggers:
            logger.log_metrics({f"{self.split}/{key}": value for key, value in figures.items()})

    def _table(self, findings: Findings, figures: dict[str, float], losses: dict[str, float]) -> Table:
        regions = sum(len(item) for item in findings.truth)
        title = f"What it learned ({len(findings.truth)} images, {regions} true boxes of the {self.split} split)"
        table = Table("figure", "value", title=title, title_justify="left")
        for key in sorted(losses):
            table.add_row(f"{key} (last validation)", f"{losses[key]:.3f}")
        if "dense_mAP" in figures:
            table.add_row("dense captioning mAP (standard)", f"{figures['dense_mAP']:.3f}")
        names = {
            "proposal_recall@.5": "true boxes with a proposal at IoU .5",
            "proposal_recall@.7": "true boxes with a proposal at IoU .7",
            "detection_AP@.5": "detection AP at IoU .5",
            "exact_phrases": "exactly right phrases on true boxes",
            "found_and_named@.5": "true boxes over 32x32 found at IoU .5 with a right phrase",
        }
        for key, name in names.items():
            table.add_row(name, f"{100 * figures[key]:.1f} %")
        return table

    def _draw(self, findings: Findings, path: Path) -> None:
        drawn = []
        for image, regions in findings.pictures[: self.sheet_images]:
            kept = [region for region in regions if region.score >= self.sheet_score]
            drawn.append(draw_regions(image_from_tensor(image), kept))
        save_sheet(path, drawn, columns=3)


def examine(model: DenseCaptioner, file: str | Path, split: str, num_images: int, batch_size: int = 8) -> Findings:
    """Run a model over a split of a region file and collect what the report needs."""
    source, findings = RegionFile(file), Findings()
    phrases = _phrases(source)
    indices = source.indices(split)[:num_images].tolist()
    for start in track(range(0, len(indices), batch_size), description="looking at held-out images"):
        rows = indices[start : start + batch_size]
        images = [read_image(source.image_bytes(index)) for index in rows]
        truth = [_true_boxes(source, index, image) for index, image in zip(rows, images)]
        predictions = model.caption_images(images)
        described = model.caption_boxes(images, truth)
        findings.proposals += proposals_of(model, images)
        findings.truth += truth
        truth_of = {index: boxes[box_area(boxes) > LEAST_AREA] for index, boxes in zip(rows, truth)}
        for index, image, found, described_boxes in zip(rows, images, predictions, described):
            findings.boxes.append(torch.tensor([region.box for region in found]).reshape(len(found), 4))
            findings.scores.append(torch.tensor([region.score for region in found]))
            findings.right += [region.caption in phrases(index, region.box) for region in described_boxes]
            findings.pictures.append((image, found))
            findings.records.append(_record(source, index, image, found))
            boxes, captions = findings.boxes[-1], [region.caption for region in found]
            findings.named += [_is_named(box, boxes, captions, phrases(index, box.tolist())) for box in truth_of[index]]
    return findings


def _is_named(truth: Tensor, boxes: Tensor, captions: Sequence[str], right: frozenset[str]) -> bool:
    """Whether a detection overlaps a (4,) true box by half or more and has a right phrase."""
    if len(boxes) == 0:
        return False
    overlaps = box_iou(truth[None], boxes)[0].tolist()
    return any(overlap >= 0.5 and caption in right for overlap, caption in zip(overlaps, captions))


def _record(source: RegionFile, index: int, image: Tensor, found: Sequence[RegionPrediction]) -> DenseRecord:
    """Predictions and truth of an image in pixels of the original."""
    height, width = source.original_sizes[index].tolist()
    scale = np.tile((width / image.shape[2], height / image.shape[1]), 2)
    boxes = np.array([region.box for region in found], np.float64).reshape(-1, 4) * scale
    scores, captions = [region.score for region in found], [region.caption for region in found]
    truth = source.regions(index)[0], source.captions(index)
    return DenseRecord(source.ids[index], width, height, boxes, np.array(scores), captions, *truth)


def _true_boxes(source: RegionFile, index: int, image: Tensor) -> Tensor:
    """Distinct truth boxes in pixels of the stored image, which may be smaller than the original."""
    boxes = torch.unique(torch.from_numpy(source.regions(index)[0]), dim=0)
    height, width = source.original_sizes[index]
    factors = torch.tensor([image.shape[2] / width, image.shape[1] / height] * 2, dtype=torch.float32)
    return boxes * factors


def _phrases(source: RegionFile) -> Callable[[int, Any], frozenset[str]]:
    """A function from an image's index and a box to the phrases that are true there."""
    if source.attrs["name"] == "shapes":
        seed = int(source.attrs["provenance"]["options"]["reader"]["seed"])
        return lambda index, box: true_phrases_of_box(int(source.ids[index]), box, seed)
    vocabulary = source.vocabulary

    def annotated(index: int, box: Any) -> frozenset[str]:
        boxes, tokens, _ = source.regions(index)
        height, width = source.original_sizes[index]
        stored = source.sizes[index]
        factors = torch.tensor([stored[1] / width, stored[0] / height] * 2, dtype=torch.float32)
        same = (torch.from_numpy(boxes) * factors - torch.tensor(box)).abs().amax(dim=1) < 0.5
        return frozenset(vocabulary.decode(row) for row in tokens[same.numpy()])

    return annotated
