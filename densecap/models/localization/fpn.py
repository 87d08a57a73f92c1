"""The localization layer as torchvision's detectors have it: proposals map by map, and RoIAlign."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchvision.ops import roi_align

from densecap.errors import UserError
from densecap.models.conventions import Conventions
from densecap.models.localization.fcln import LocalizationLayer, MapGroup
from densecap.models.localization.proposals import Proposals
from densecap.models.settings import DetectionSettings
from densecap.ops.anchors import Level
from densecap.ops.boxes import box_area, clip_boxes
from densecap.ops.nms import nms
from densecap.ops.roi_pool import assign_levels


class FPNLocalization(LocalizationLayer):
    """``proposals_per_map`` of the best proposals of each map are suppressed among themselves, before all compete.

    Anchors are dealt out in their order, the same number to each map, for the maps share their branches. Regions are
    pooled from the first ``pooled_maps`` maps, each cell the mean of 2 x 2 samples (RoIAlign, arXiv
    1703.06870, in its first form, which sees at x / stride). No gradient reaches the boxes through the pooling.
    """

    def __init__(
        self,
        channels: int,
        geometry: Sequence[Level],
        conventions: Conventions | None = None,
        *,
        anchors: Sequence[tuple[float, float]],
        anchor_scale: float = 1.0,
        proposals_per_map: int = 1000,
        pooled_maps: int = 4,
        **kwargs: Any,
    ) -> None:
        super().__init__(channels, geometry, conventions, anchors, anchor_scale, **kwargs)
        self.proposals_per_map, self.pooled_maps = proposals_per_map, pooled_maps
        scaled = [(width * anchor_scale, height * anchor_scale) for width, height in anchors]
        share = self.network.num_anchors
        self.network.anchors = [scaled[first : first + share] for first in range(0, len(scaled), share)]
        if self.conventions.misregistered_pooling:
            raise UserError("model.compat=densecap2016 pools as that code did: choose model/localization=fcln")

    def select(
        self, proposals: Proposals, image_size: tuple[int, int], settings: DetectionSettings
    ) -> tuple[Tensor, Tensor]:
        boxes = clip_boxes(proposals.boxes, *image_size)
        scores = proposals.scores.softmax(dim=1)[:, 0]
        maps = self._maps_of(proposals.anchors)  # (N,)
        own = [torch.nonzero(maps == index)[:, 0] for index in range(len(self.network.geometry))]
        rows = torch.cat([self._of_map(boxes, scores, rows, settings) for rows in own])
        rows = rows[scores[rows].argsort(descending=True, stable=True)][: settings.max_proposals]
        return boxes[rows], scores[rows]

    def _maps_of(self, anchors: Tensor) -> Tensor:
        """The map (N,) of each anchor, for those of a map are smaller than those of the next."""
        largest = [max(width * height for width, height in sizes) for sizes in self.network.anchors]
        bounds = anchors.new_tensor([area * 1.001 for area in largest[:-1]])
        return torch.bucketize(box_area(anchors), bounds)

    def _of_map(self, boxes: Tensor, scores: Tensor, rows: Tensor, settings: DetectionSettings) -> Tensor:
        """Those of ``rows`` that are left of a map."""
        rows = rows[scores[rows].argsort(descending=True, stable=True)][: self.proposals_per_map]
        sides = boxes[rows, 2:] - boxes[rows, :2]
        rows = rows[(sides > 1e-3).all(dim=1)]
        return rows[nms(boxes[rows], scores[rows], settings.proposal_nms_iou, None)]

    def pool(self, groups: Sequence[MapGroup], boxes: Sequence[Tensor], sizes: Sequence[tuple[int, int]]) -> Tensor:
        starts = torch.tensor([0, *(len(own) for own in boxes)]).cumsum(0).tolist()
        geometry = self.network.geometry[: self.pooled_maps]
        first = groups[0][1][0]
        pooled = first.new_zeros((starts[-1], first.shape[1], self.pool_size, self.pool_size))
        for members, maps in groups:
            levels = [assign_levels(boxes[index], geometry) for index in members]
            for number, (level, features) in enumerate(zip(geometry, maps)):
                rows = [torch.nonzero(own == number)[:, 0] for own in levels]
                regions = [boxes[index][own].to(features.dtype) for index, own in zip(members, rows)]
                found = roi_align(features, regions, self.pool_size, 1 / level.stride, sampling_ratio=2, aligned=False)
                places = torch.cat([own + starts[index] for index, own in zip(members, rows)])
                pooled = pooled.index_copy(0, places, found.to(pooled.dtype))
        return pooled
