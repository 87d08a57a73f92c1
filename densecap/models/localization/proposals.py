"""The region proposal network: a box and a score for every anchor of every feature map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from densecap.ops.anchors import Level, anchor_boxes, spread_anchors
from densecap.ops.boxes import apply_transforms


class Proposals(NamedTuple):
    """All proposals of one image; rows run over levels, anchors, map rows, map columns.

    ``anchors``, ``transforms``, ``boxes`` (N, 4) in pixels of the image; ``scores`` (N, 2), region and background.
    ``boxes`` carry no gradient: few of them are learnt from, and those are made anew from their transforms.
    """

    anchors: Tensor
    transforms: Tensor
    boxes: Tensor
    scores: Tensor


class ProposalNetwork(nn.Module):
    """A 3x3 convolution, then two 1x1 branches, shared by all levels (DenseCap section 3.2.1).

    The box branch starts at zero, so that training begins with the anchors themselves; the score branch and the 3x3
    convolution start at N(0, 0.01), as the released code does.
    """

    def __init__(
        self,
        channels: int,
        geometry: Sequence[Level],
        anchors: Sequence[tuple[float, float]],
        hidden_channels: int = 256,
    ) -> None:
        super().__init__()
        self.geometry = tuple(geometry)
        self.anchors = spread_anchors([(float(w), float(h)) for w, h in anchors], len(self.geometry))
        self.num_anchors = len(self.anchors[0])
        self.conv = nn.Conv2d(channels, hidden_channels, 3, padding=1)
        self.box_branch = nn.Conv2d(hidden_channels, 4 * self.num_anchors, 1)
        self.score_branch = nn.Conv2d(hidden_channels, 2 * self.num_anchors, 1)
        for layer, deviation in ((self.conv, 0.01), (self.score_branch, 0.01), (self.box_branch, 0.0)):
            nn.init.normal_(layer.weight, std=deviation)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        self._cache: dict[tuple, Tensor] = {}

    def forward(self, maps: Sequence[Tensor]) -> list[Proposals]:
        """Proposals of each of B images of one size from their (B, C, h, w) ``maps``, one a level."""
        transforms, scores = [], []
        for features in maps:
            hidden = torch.relu(self.conv(features))
            transforms.append(self._flatten(self.box_branch(hidden), 4))
            scores.append(self._flatten(self.score_branch(hidden), 2))
        all_transforms, all_scores = torch.cat(transforms, dim=1).float(), torch.cat(scores, dim=1).float()
        anchors = self._anchors(maps)  # (N, 4)
        with torch.no_grad():
            boxes = apply_transforms(anchors.expand_as(all_transforms), all_transforms)
        return [Proposals(anchors, *rows) for rows in zip(all_transforms, boxes, all_scores)]

    def _flatten(self, maps: Tensor, width: int) -> Tensor:
        """(B, A * width, h, w) to (B, A * h * w, width), anchors outermost."""
        batch, _, height, columns = maps.shape
        split = maps.reshape(batch, self.num_anchors, width, height, columns).permute(0, 1, 3, 4, 2)
        return split.reshape(batch, self.num_anchors * height * columns, width)

    def _anchors(self, maps: Sequence[Tensor]) -> Tensor:
        key = (maps[0].device, *(tuple(item.shape[-2:]) for item in maps))
        if key not in self._cache:
            if len(self._cache) > 64:
                self._cache.clear()
            levels = [
                anchor_boxes(item.shape[-2], item.shape[-1], level, torch.tensor(sizes, device=item.device))
                for item, level, sizes in zip(maps, self.geometry, self.anchors)
            ]
            self._cache[key] = torch.cat(levels)
        return self._cache[key]
