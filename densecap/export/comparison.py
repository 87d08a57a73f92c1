"""What an exported model says about a picture, beside what PyTorch says: the same boxes, the same captions."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from densecap.errors import UserError
from densecap.models.captioner import Captioner
from densecap.models.dense_captioner import DenseCaptioner
from densecap.models.image_captioner import ImageCaptioner
from densecap.models.inference import stack
from densecap.structures import RegionPrediction

#: Pixels of the picture that the model sees by which a box may differ, and the probability by which a score may.
BOX_TOLERANCE, SCORE_TOLERANCE = 1e-3, 1e-3

#: Where PyTorch's own rounding moves boxes further, they may differ by so many times as much, but never by more pixels.
OWN_ROUNDINGS, MOST = 3, 0.1

#: Scores of words that are nearer than this are tied: either may be said.
TIE = 1e-4


def compared(
    model: Captioner, picture: Tensor, theirs: Sequence[RegionPrediction], features: np.ndarray, name: str
) -> str:
    """What to say of the regions that an export finds in a (3, H, W) uint8 picture, in the order of PyTorch's.

    ``features`` (R, F) are what it describes them from. Errors: UserError when they are not those of the model.
    """
    own = model.caption_images([picture])[0]
    if len(own) != len(theirs):
        raise UserError(f"{name} finds {len(theirs)} regions where PyTorch finds {len(own)}: it was not kept")
    scale = model.image_size / max(picture.shape[-2:])
    boxes = _largest([[a - b for a, b in zip(mine.box, other.box)] for mine, other in zip(own, theirs)]) * scale
    scores = _largest([[mine.score - other.score] for mine, other in zip(own, theirs)])
    rounding = own_rounding(model, picture) if boxes > BOX_TOLERANCE else 0.0
    if boxes > max(BOX_TOLERANCE, min(OWN_ROUNDINGS * rounding, MOST)) or scores > SCORE_TOLERANCE:
        raise UserError(
            f"{name} gives other results than PyTorch, boxes up to {boxes:.2g} pixels and scores up to {scores:.2g} "
            "off: it was not kept"
        )
    differing = [row for row, (mine, other) in enumerate(zip(own, theirs)) if mine.caption != other.caption]
    tied = [row for row in differing if _is_tied(model, features[row], own[row].caption, theirs[row].caption)]
    if len(tied) < len(differing):
        row = next(row for row in differing if row not in tied)
        raise UserError(f"{name} says {theirs[row].caption!r} where PyTorch says {own[row].caption!r}: it was not kept")
    rounded = f" (rounding alone moves PyTorch's by {rounding:.1g})" if rounding else ""
    ties = f", {len(tied)} of them after words whose scores are tied" if tied else ""
    return (
        f"compared with PyTorch on a picture: {len(own)} regions, boxes within {boxes:.1g} pixels{rounded}, scores "
        f"within {scores:.1g}, {len(own) - len(differing)} captions the same{ties}"
    )


@torch.no_grad()
def own_rounding(model: Captioner, picture: Tensor) -> float:
    """Pixels by which the boxes of a dense captioner differ from those it finds with twice the digits: the most."""
    if not isinstance(model, DenseCaptioner):
        return 0.0
    images, sizes = stack(model, [picture])
    (found,) = model.detect(images, sizes)
    (precise,) = copy.deepcopy(model).double().detect(images, sizes)
    if not len(found.boxes) or not len(precise.boxes):
        return 0.0
    apart = (found.boxes.double()[:, None] - precise.boxes.double()[None]).abs().amax(dim=2)  # (R, R')
    return float(apart.amin(dim=1).max())


def _largest(rows: Sequence[Sequence[float]]) -> float:
    return float(np.abs(np.array(rows, np.float64).reshape(len(rows), -1)).max(initial=0.0))


@torch.no_grad()
def _is_tied(model: Captioner, features: np.ndarray, caption: str, other: str) -> bool:
    """Whether the first word in which two captions differ was a toss-up."""
    one, two = (model.vocabulary.encode(text.split()) for text in (caption, other))
    place = next((at for at, (a, b) in enumerate(zip(one, two)) if a != b), min(len(one), len(two)))
    coded = torch.from_numpy(features)[None]
    coded = model.scaling(coded) if isinstance(model, ImageCaptioner) else coded
    scores = model.decoder(coded, torch.tensor([one[:place]], dtype=torch.int64).reshape(1, place))[0, place]
    words = [own[place] if place < len(own) else 0 for own in (one, two)]
    return abs(float(scores[words[0]] - scores[words[1]])) < TIE
