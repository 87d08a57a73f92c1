"""Figures of the captions after every validation epoch: dense mAP, BLEU, CIDEr and whatever else ``metric=`` names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch

from densecap.callbacks.examined_image import TruthOfSplit, examine
from densecap.data.hdf5 import RegionFile
from densecap.metrics.dense_modules import DenseMapMetric
from densecap.metrics.keyed import KeyedMetric
from densecap.metrics.modules import PerplexityMetric
from densecap.models.captioner import Captioner
from densecap.structures import Batch


class CaptionMetrics(pl.Callback):
    """Describes validation images with the model as it is and logs the ``metrics`` as val/dense_mAP, val/CIDEr ...

    Predicted boxes are judged by dense_map, language_meteor and proposal_recall; bleu, cider, rouge_l and meteor judge
    captions for the true boxes, with the phrases of all true boxes that overlap it by .7 or more as references. A model
    that finds no boxes describes each distinct true box (the whole image, of data sets that describe those) once, and
    has its phrases as references; metrics of boxes are then left out. Truth is in original pixels and raw words.

    Only the first ``num_images`` of the validation split, in file order, are described (None: all), because finding
    and describing costs several times the losses; so figures compare between epochs and runs of one number. Each image
    counts once however many processes share them, and is described alone, so that its figures do not depend on its
    neighbours in a batch. No random number of training is used.

    Where METEOR is not installed the figures that need it are left out, and one sentence says what to install.
    """

    def __init__(self, metrics: Mapping[str, KeyedMetric] | None = None, num_images: int | None = 200) -> None:
        self.num_images = num_images
        self._wanted = dict(metrics or {})
        self.metrics, self.problems = _computable(self._wanted)
        self.truth: TruthOfSplit | None = None
        #: All figures of the last validation, by the names they are logged under.
        self.figures: dict[str, float] = {}

    def suit(self, model: Captioner) -> None:
        """Leave out what means nothing for this model: boxes where it finds none, perplexity where its task logs it."""
        if model.finds_boxes:
            return
        useless = [n for n, own in self._wanted.items() if own.judges_boxes or isinstance(own, PerplexityMetric)]
        kept = {name: metric for name, metric in self._wanted.items() if name not in useless}
        self.metrics, self.problems = _computable(kept)

    @property
    def names(self) -> list[str]:
        """The names of the figures it will log."""
        return [f"val/{name}" for metric in self.metrics.values() for name in metric.names()]

    def on_fit_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if trainer.is_global_zero:
            for problem in self.problems:
                pl_module.print(problem)

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if self.truth is None and self.metrics:
            file = RegionFile(trainer.datamodule.file)  # type: ignore[attr-defined]
            self.truth = TruthOfSplit(file, "val", self.num_images)
        for metric in self.metrics.values():
            metric.reset()
            if isinstance(metric, DenseMapMetric) and metric.vocabulary is None:
                metric.vocabulary = pl_module.model.vocabulary

    @torch.no_grad()
    def on_validation_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Batch, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        if self.truth is None or trainer.sanity_checking:
            return
        for image, (height, width), image_id in zip(batch.images, batch.image_sizes, batch.image_ids):
            if image_id in self.truth:
                with trainer.precision_plugin.forward_context():
                    size, truth = (height, width), self.truth[image_id]
                    examined = examine(pl_module.model, image[:, :height, :width], size, image_id, truth)
                    for metric in self.metrics.values():
                        metric.take(examined)  # type: ignore[arg-type]  # whose boxes ``suit`` lets nobody ask for

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if trainer.sanity_checking:
            return
        summaries = [metric.summary() for metric in self.metrics.values()]
        self.figures = {f"val/{name}": value for summary in summaries for name, value in summary.items()}
        in_bar = {f"val/{metric.figure}" for metric in self.metrics.values()}
        exact = torch.float32 if pl_module.device.type == "mps" else torch.float64
        for name, value in self.figures.items():  # equal on all processes
            pl_module.log(name, torch.tensor(value, dtype=exact), prog_bar=name in in_bar)


def _computable(metrics: Mapping[str, KeyedMetric]) -> tuple[dict[str, KeyedMetric], list[str]]:
    """The metrics, or what remains of them, that this machine can compute, and a sentence for each obstacle."""
    problems = [metric.problem() for metric in metrics.values()]
    usable = {
        name: metric if problem is None else metric.without_words()
        for (name, metric), problem in zip(metrics.items(), problems)
    }
    missing = [name for name, problem in zip(metrics, problems) if problem is not None]
    sentences = [
        f"metric=[{','.join(missing)}] is not or not wholly reported: {problem}"
        for problem in dict.fromkeys(problem for problem in problems if problem)
    ]
    return {name: metric for name, metric in usable.items() if metric is not None}, sentences
