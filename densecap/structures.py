"""The types that flow between the layers.

Dimension letters used in every trailing comment of this project: B images, R regions of an image, N sequences or
regions of a batch, T tokens, V words, F features, K beams, C/H/W feature maps, A anchors.

Boxes are ``(x1, y1, x2, y2)`` in continuous pixels of the tensor at hand: the left edge of the first pixel is 0, the
right edge of the last one is W, so width is x2 - x1 and the whole image is ``(0, 0, W, H)``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:  # what predicts without PyTorch uses these types, too
    import torch
    from torch import Tensor

#: Version of the predictions.json schema (see ``densecap.prediction.writers``).
PREDICTIONS_VERSION = 1

#: Version of what this package adds to a Lightning checkpoint (see ``densecap.checkpoint``).
CHECKPOINT_VERSION = 1


def _expect(condition: bool, owner: str, wanted: str, got: object) -> None:
    if not condition:
        raise ValueError(f"{owner} expects {wanted}, got {got}")


@dataclass
class ImageRecord:
    """One annotated image as a reader yields it: original pixels, raw words.

    ``boxes`` (R, 4) float32 xyxy in pixels of the original image; ``captions`` R strings. A caption of the whole
    image is a region whose box is the full image.
    """

    image_id: str
    path: Path
    split: str
    boxes: np.ndarray
    captions: list[str]

    def __post_init__(self) -> None:
        self.boxes = np.asarray(self.boxes, dtype=np.float32).reshape(len(self.captions), 4)


@dataclass
class Regions:
    """Regions of one image: ``boxes`` (R, 4) float32, ``tokens`` (R, T) int64 zero-padded, ``scores`` (R,) or None."""

    boxes: Tensor
    tokens: Tensor
    scores: Tensor | None = None

    def __post_init__(self) -> None:
        count = self.boxes.shape[0]
        _expect(self.boxes.dim() == 2 and self.boxes.shape[1] == 4, "Regions.boxes", "(R, 4)", tuple(self.boxes.shape))
        _expect(
            self.tokens.dim() == 2 and self.tokens.shape[0] == count,
            "Regions.tokens",
            f"({count}, T)",
            tuple(self.tokens.shape),
        )

    def __len__(self) -> int:
        return self.boxes.shape[0]

    def to(self, device: torch.device | str) -> Regions:
        scores = None if self.scores is None else self.scores.to(device)
        return Regions(self.boxes.to(device), self.tokens.to(device), scores)


@dataclass
class Batch:
    """Images of any size with their regions.

    ``images`` (B, 3, H, W) uint8 RGB (or float in 0..255), each at the top left, padded with zeros; ``image_sizes`` B
    pairs (height, width) of the resized image; ``regions`` B ``Regions`` in pixels of the resized image;
    ``original_sizes`` B pairs (height, width) before resizing.
    """

    images: Tensor
    image_sizes: list[tuple[int, int]]
    regions: list[Regions]
    image_ids: list[str]
    original_sizes: list[tuple[int, int]]

    def __post_init__(self) -> None:
        shape = tuple(self.images.shape)
        _expect(len(shape) == 4 and shape[1] == 3, "Batch.images", "(B, 3, H, W)", shape)
        for name in ("image_sizes", "regions", "image_ids", "original_sizes"):
            _expect(
                len(getattr(self, name)) == shape[0], f"Batch.{name}", f"{shape[0]} items", len(getattr(self, name))
            )

    def __len__(self) -> int:
        return self.images.shape[0]

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        images = self.images.to(device, non_blocking=non_blocking)
        regions = [item.to(device) for item in self.regions]
        return Batch(images, self.image_sizes, regions, self.image_ids, self.original_sizes)

    def first(self, count: int) -> Batch:
        """The first ``count`` images."""
        return Batch(
            self.images[:count],
            self.image_sizes[:count],
            self.regions[:count],
            self.image_ids[:count],
            self.original_sizes[:count],
        )

    def pin_memory(self) -> Batch:
        self.images = self.images.pin_memory()
        return self


@dataclass
class Captions:
    """Generated captions: ``tokens`` (N, T) int64 padded with 0, ``log_probs`` (N,) summed over words and END.

    ``token_log_probs`` (N, T) are the terms of that sum, 0 behind the first END.
    """

    tokens: Tensor
    log_probs: Tensor
    token_log_probs: Tensor

    def tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.tokens, self.log_probs, self.token_log_probs


@dataclass
class ScoredCaption:
    """A caption in words, its log-probability and that of each word, and of the end where it was said."""

    caption: str
    log_prob: float
    token_log_probs: list[float]

    def to_json(self) -> dict[str, Any]:
        terms = [round(value, 4) for value in self.token_log_probs]
        return {"caption": self.caption, "log_prob": round(self.log_prob, 4), "token_log_probs": terms}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ScoredCaption:
        return cls(data["caption"], data["log_prob"], data["token_log_probs"])


@dataclass
class RegionPrediction:
    """One described box: ``box`` xyxy in original pixels, ``score`` the probability (0..1) that it is a region.

    Where several captions were asked for, ``captions`` are all of them, best first, and ``token_log_probs`` belong to
    ``caption``, which may be any of them.
    """

    box: tuple[float, float, float, float]
    score: float
    caption: str
    log_prob: float
    token_log_probs: list[float] | None = None
    captions: list[ScoredCaption] | None = None

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = {
            "box": [round(value, 2) for value in self.box],
            "score": round(self.score, 6),
            "caption": self.caption,
            "log_prob": round(self.log_prob, 4),
        }
        if self.token_log_probs is not None:
            data["token_log_probs"] = [round(value, 4) for value in self.token_log_probs]
        if self.captions is not None:
            data["captions"] = [caption.to_json() for caption in self.captions]
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> RegionPrediction:
        captions = data.get("captions")
        return cls(
            tuple(data["box"]),
            data["score"],
            data["caption"],
            data["log_prob"],
            data.get("token_log_probs"),
            None if captions is None else [ScoredCaption.from_json(item) for item in captions],
        )


@dataclass
class Prediction:
    """All described boxes of one image, best score first; plain data that every later tool reads.

    ``frame`` (from 0) and ``seconds`` say where in its video or stream the image is, and are written only then.
    """

    image_id: str
    file: str
    width: int
    height: int
    regions: list[RegionPrediction] = field(default_factory=list)
    frame: int | None = None
    seconds: float | None = None

    def to_json(self) -> dict[str, Any]:
        head: dict[str, Any] = {
            "image_id": self.image_id,
            "file": self.file,
            "width": self.width,
            "height": self.height,
        }
        if self.frame is not None:
            head["frame"] = self.frame
        if self.seconds is not None:
            head["seconds"] = round(self.seconds, 4)
        return {**head, "regions": [region.to_json() for region in self.regions]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Prediction:
        regions = [RegionPrediction.from_json(region) for region in data["regions"]]
        size = data["width"], data["height"]
        return cls(str(data["image_id"]), data["file"], *size, regions, data.get("frame"), data.get("seconds"))
