"""One validation image and a model's answers for it, each worked out when a metric first asks."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from densecap.data.hdf5 import RegionFile
from densecap.metrics.dense_map.language import plain_text
from densecap.metrics.dense_map.records import DenseRecord
from densecap.metrics.examined import DescribedBoxes, references_of_boxes
from densecap.models.captioner import Captioner
from densecap.models.decoders.base import caption_targets
from densecap.models.dense_captioner import DenseCaptioner
from densecap.models.generation import generate
from densecap.models.image_captioner import ImageCaptioner
from densecap.models.inference import Detections, detections_of_maps, proposals_of_maps
from densecap.models.settings import DetectionSettings


@dataclass(frozen=True)
class Truth:
    """What was annotated: boxes (M, 4) in original pixels, M raw phrases, their tokens (M, T), (height, width)."""

    boxes: np.ndarray
    captions: list[str]
    tokens: np.ndarray
    size: tuple[int, int]


class TruthOfSplit:
    """The truth of a split's first ``count`` images (None for all) by image id."""

    def __init__(self, file: RegionFile, split: str, count: int | None) -> None:
        self.file = file
        self.indices = {file.ids[index]: index for index in file.indices(split)[:count].tolist()}

    def __contains__(self, image_id: str) -> bool:
        return image_id in self.indices

    def __getitem__(self, image_id: str) -> Truth:
        index = self.indices[image_id]
        boxes, tokens, _ = self.file.regions(index)
        height, width = self.file.original_sizes[index].tolist()
        return Truth(boxes.astype(np.float64), self.file.captions(index), tokens, (height, width))


class Asked:
    """``image`` (3, H, W) of (height, width) ``size`` as the model sees it, alone: answers must not depend on what else
    is in a batch. A subclass gives ``codes`` of boxes.

    Draws of a sampling generation are seeded by the image id, so that no random number of training is used and every
    epoch and every process draws the same. A model whose numbers are not finite says nothing.
    """

    def __init__(self, model: Captioner, image: Tensor, size: tuple[int, int], image_id: str, truth: Truth) -> None:
        self.model, self.image, self.size, self.image_id, self.truth = model, image, size, image_id, truth

    @cached_property
    def scale(self) -> np.ndarray:
        """(4,) factors from original pixels to those of ``image``."""
        return np.tile((self.size[1] / self.truth.size[1], self.size[0] / self.truth.size[0]), 2)

    def codes(self, boxes: Tensor) -> Tensor:
        """(R, F) features of (R, 4) boxes in pixels of ``image``."""
        raise NotImplementedError

    @cached_property
    def told(self) -> tuple[Tensor, Tensor]:
        tokens = torch.from_numpy(self.truth.tokens.astype(np.int64)).to(self.image.device)
        return self.model.decoder(self._codes(self.truth.boxes), tokens), caption_targets(tokens)

    def describe(self, boxes: np.ndarray) -> list[str]:
        """Captions of (R, 4) boxes in original pixels."""
        return self._captions(self._codes(boxes))

    def _codes(self, boxes: np.ndarray) -> Tensor:
        """(R, F) features of (R, 4) boxes in original pixels."""
        return self.codes(torch.from_numpy(boxes * self.scale).to(self.image.device, torch.float32))

    def _captions(self, codes: Tensor) -> list[str]:
        settings, vocabulary = self.model.generation, self.model.vocabulary
        generator = torch.Generator(codes.device).manual_seed(zlib.crc32(self.image_id.encode()))
        finite = codes.isfinite().all(dim=1, keepdim=True)
        captions = generate(self.model.decoder, codes.where(finite, 0.0), settings, vocabulary, generator)
        rows = captions.tokens[:: max(settings.num_captions, 1)].tolist()  # of several captions the first is the best
        return [vocabulary.decode(row) if said else "" for row, said in zip(rows, finite[:, 0].tolist())]


class DescribedImage(Asked):
    """An image and a model that describes boxes without finding any; each distinct box is described once."""

    model: ImageCaptioner

    def codes(self, boxes: Tensor) -> Tensor:
        return self.model.box_features(self.image[None], [self.size], [boxes], [self.image_id])

    @cached_property
    def described(self) -> DescribedBoxes:
        boxes, owners = np.unique(self.truth.boxes, axis=0, return_inverse=True)
        phrases: list[list[str]] = [[] for _ in boxes]
        for owner, phrase in zip(owners.reshape(-1).tolist(), map(plain_text, self.truth.captions)):
            phrases[owner] += [phrase] if phrase else []
        rows = [row for row, own in enumerate(phrases) if own]
        keys = [self.image_id if len(boxes) == 1 else f"{self.image_id} box {row}" for row in rows]
        return DescribedBoxes(keys, self.describe(boxes[rows]), [phrases[row] for row in rows])


class ExaminedImage(Asked):
    """An image and a model that finds boxes; the backbone runs once. A model gone astray finds nothing."""

    model: DenseCaptioner

    @cached_property
    def detection(self) -> DetectionSettings:
        """How boxes are found: the model's own settings, unless others are put here before anything is asked."""
        return self.model.detection

    @cached_property
    def maps(self) -> list:
        return self.model.feature_maps(self.image[None], [self.size])

    @cached_property
    def record(self) -> DenseRecord:
        found = detections_of_maps(self.model, self.maps, [self.size], self.detection)[0]
        finite = found.logits.isfinite() & found.boxes.isfinite().all(dim=1)
        found = Detections(found.boxes[finite], found.logits[finite], found.codes[finite])
        height, width = self.truth.size
        return DenseRecord(
            self.image_id,
            width,
            height,
            found.boxes.double().cpu().numpy() / self.scale,
            found.logits.sigmoid().double().cpu().numpy(),
            self._captions(found.codes),
            self.truth.boxes,
            self.truth.captions,
        )

    @cached_property
    def described(self) -> DescribedBoxes:
        references = references_of_boxes(self.truth.boxes, self.truth.captions)
        rows = [row for row, own in enumerate(references) if own]
        keys = [f"{self.image_id} box {row}" for row in rows]
        captions = self.describe(self.truth.boxes[rows])
        return DescribedBoxes(keys, captions, [references[row] for row in rows])

    @cached_property
    def proposals(self) -> tuple[Tensor, Tensor]:
        found = proposals_of_maps(self.model, self.maps, [self.size], self.model.detection)[0]
        return found.cpu() / torch.from_numpy(self.scale), torch.from_numpy(self.truth.boxes)

    def codes(self, boxes: Tensor) -> Tensor:
        return self.model.recognition(self.model.localization.pool(self.maps, [boxes], [self.size]))


def examine(
    model: Captioner, image: Tensor, size: tuple[int, int], image_id: str, truth: Truth
) -> ExaminedImage | DescribedImage:
    """What the metrics may ask about an image, by the kind of the model."""
    kind = ExaminedImage if model.finds_boxes else DescribedImage
    return kind(model, image, size, image_id, truth)
