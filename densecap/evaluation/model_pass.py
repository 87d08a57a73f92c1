"""A model over the images of a split: protocols, proposals and perplexity from one run of the backbone each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from densecap.data.stored_pictures import stored_pictures
from densecap.errors import UserError
from densecap.evaluation.seen import Seen, SeenPictures, SeenWholes
from densecap.evaluation.truth import Truth, TruthImage
from densecap.metrics.dense_modules import ProposalRecallMetric
from densecap.metrics.perplexity import perplexity
from densecap.models.captioner import Captioner
from densecap.models.dense_captioner import DenseCaptioner
from densecap.models.generation import GenerationSettings
from densecap.models.settings import DetectionSettings
from densecap.prediction.loop import check_finite
from densecap.prediction.writers import Writer
from densecap.structures import Prediction, RegionPrediction
from densecap.text.cleaning import clean_words

#: Features (N, F) of whole pictures, by their rows in the prepared file.
FeaturesOf = Callable[[Sequence[int]], Tensor]

#: Images with the rows and the pictures (3, H, W) that are shown for them: their own, or those of others.
Shown = tuple[list[TruthImage], Sequence[int], list[Tensor]]


@dataclass
class Wanted:
    """What the model is asked for, and the settings it is asked with.

    ``exchange_images``: it sees another image in the place of each, see ``exchanged``.
    """

    detection: DetectionSettings
    generation: GenerationSettings
    proposal_recall: ProposalRecallMetric | None = field(default_factory=ProposalRecallMetric)
    perplexity: bool = True
    exchange_images: bool = False


@dataclass
class ModelFigures:
    """Figures that need the model, image by image."""

    losses: list[Tensor] = field(default_factory=list)
    tokens: list[Tensor] = field(default_factory=list)

    def to_json(self, wanted: Wanted) -> dict[str, Any]:
        """The ``model`` object of report.json, as far as wanted."""
        figures: dict[str, Any] = {}
        if wanted.proposal_recall is not None:
            recall = wanted.proposal_recall.compute()
            figures["proposal_recall"] = {name: float(value) for name, value in recall.items()}
        if wanted.perplexity:
            figures["perplexity"] = perplexity(torch.cat(self.losses), torch.cat(self.tokens))
        return figures


def run_model(
    model: Captioner,
    truth: Truth,
    wanted: Wanted,
    writers: dict[str, Writer],
    batch_size: int,
    report: Callable[[int], None] = lambda count: None,
    features: FeaturesOf | None = None,
) -> ModelFigures:
    """Describe the stored pictures of the split; ``report`` is told how many images are done, the rest is as in
    ``ModelPass``. Errors: UserError when the model's numbers are not finite."""
    run = ModelPass(model, truth, wanted, writers, batch_size, features)
    for shown in run.batches():
        report(run.take(shown))
    return run.figures


class ModelPass:
    """The same in parts, batches of images to take and taking one, for loops that somebody else drives.

    ``writers`` by protocol take the results. Protocols are "predicted" (boxes that the model finds), "truth" (true
    boxes) and, of a model that finds none, "images" (a caption for each whole picture). Boxes are written in original
    pixels. ``features`` gives those of whole pictures (N, F) by their rows in the prepared file, where they need not
    be computed.
    """

    def __init__(
        self,
        model: Captioner,
        truth: Truth,
        wanted: Wanted,
        writers: dict[str, Writer],
        batch_size: int,
        features: FeaturesOf | None = None,
    ) -> None:
        self.model, self.truth, self.wanted, self.writers = model, truth, wanted, writers
        self.batch_size, self.features = batch_size, features
        self.figures = ModelFigures()

    def batches(self, rank: int = 0, world: int = 1) -> Iterator[Shown]:
        """All batches of the split, or every ``world``-th of them from the one of number ``rank`` on."""
        yield from _batches(self.truth, self.batch_size, self.wanted.exchange_images, rank, world)

    def take(self, shown: Shown) -> int:
        """Describe a batch; returns of how many images. Errors: UserError when the model's numbers are not finite."""
        images, rows, pictures = shown
        wanted, writers, model = self.wanted, self.writers, self.model
        if isinstance(model, DenseCaptioner):
            seen: Seen = SeenPictures(model, pictures)
        else:
            seen = SeenWholes(model, pictures, self.features(rows) if self.features is not None else None)
        boxes = [_true_boxes(image, picture) for image, picture in zip(images, pictures)]
        if "predicted" in writers and isinstance(seen, SeenPictures):
            _write(writers["predicted"], images, pictures, seen.found(wanted.detection, wanted.generation))
        if "images" in writers and isinstance(seen, SeenWholes):
            _write(writers["images"], images, pictures, seen.captioned(wanted.generation))
        if "truth" in writers:
            _write(writers["truth"], images, pictures, seen.described(boxes, wanted.generation))
        if wanted.proposal_recall is not None and isinstance(seen, SeenPictures):
            names = [image.image_id for image in images]
            wanted.proposal_recall.update(names, seen.proposals(wanted.detection), boxes)
        if wanted.perplexity:
            texts = [text for image in images for text in image.captions]
            losses, tokens = seen.losses(boxes, [model.vocabulary.encode(clean_words(text)) for text in texts])
            self.figures.losses.append(losses)
            self.figures.tokens.append(tokens)
        return len(images)


def _batches(truth: Truth, batch_size: int, exchange: bool, rank: int, world: int) -> Iterator[Shown]:
    rows = [image.index for image in truth.images]
    shown = exchanged(rows) if exchange else rows
    images = dict(zip(shown, truth.images))
    starts = range(rank * batch_size, len(shown), world * batch_size)
    own = [row for start in starts for row in shown[start : start + batch_size]]
    for batch, pictures in stored_pictures(truth.region_file, own, batch_size):
        yield [images[row] for row in batch], batch, pictures


def exchanged(rows: Sequence[int], seed: int = 0) -> list[int]:
    """The rows in an order in which none keeps its place, drawn by ``seed``: along one random cycle through all.

    Errors: UserError for fewer than two.
    """
    if len(rows) < 2:
        raise UserError("exchange_images=true needs two images at least")
    cycle = np.random.default_rng(seed).permutation(len(rows))
    order = np.empty(len(rows), np.int64)
    order[cycle] = np.roll(cycle, 1)
    return [rows[place] for place in order.tolist()]


def _scale(image: TruthImage, picture: Tensor) -> Tensor:
    """(4,) factors from original pixels to those of the stored picture."""
    horizontal, vertical = picture.shape[-1] / image.width, picture.shape[-2] / image.height
    return torch.tensor([horizontal, vertical, horizontal, vertical], dtype=torch.float64)


def _true_boxes(image: TruthImage, picture: Tensor) -> Tensor:
    return (torch.from_numpy(image.boxes) * _scale(image, picture)).float()


def _write(
    writer: Writer, images: Sequence[TruthImage], pictures: Sequence[Tensor], found: list[list[RegionPrediction]]
) -> None:
    for image, picture, regions in zip(images, pictures, found, strict=True):
        factors = _scale(image, picture).tolist()
        moved = [
            replace(region, box=tuple(side / factor for side, factor in zip(region.box, factors)))
            for region in sorted(regions, key=lambda region: -region.score)
        ]
        prediction = Prediction(image.image_id, image.file, image.width, image.height, moved)
        check_finite(prediction)
        writer.add(prediction)
