"""The localization layer of the fully convolutional localization network (DenseCap section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from densecap.models.conventions import Conventions
from densecap.models.localization.proposals import ProposalNetwork, Proposals
from densecap.models.settings import DetectionSettings
from densecap.ops.anchors import DENSECAP_ANCHORS, Level
from densecap.ops.boxes import apply_transforms, clip_boxes, invert_transforms
from densecap.ops.clip_2016 import clip_boxes_2016
from densecap.ops.nms import nms
from densecap.ops.roi_pool import assign_levels, bilinear_sample, pooling_points, pooling_points_2016
from densecap.ops.sampling import Sample, sample_regions

#: A target beyond this is left out of the box losses (the released code's only guard).
MAX_TRANSFORM = 10.0


#: Images of one size: their indices in the batch, and one (B, C, h, w) map a level.
MapGroup = tuple[list[int], tuple[Tensor, ...]]


class SampledRegions(NamedTuple):
    """Sampled regions of one image: ``boxes`` (S, 4), positives first; ``truth`` (P,), the truth of each positive."""

    boxes: Tensor
    truth: Tensor


class LocalizationLayer(nn.Module):
    """Proposes regions, samples them in training, and pools a fixed grid of features from each.

    ``region_batch_size`` regions of an image are learnt from; overlaps above ``high_iou`` are positive, below
    ``low_iou`` negative. ``box_decay`` pulls the raw transforms of all anchors to zero.
    """

    def __init__(
        self,
        channels: int,
        geometry: Sequence[Level],
        conventions: Conventions | None = None,
        anchors: Sequence[tuple[float, float]] = DENSECAP_ANCHORS,
        anchor_scale: float = 1.0,
        hidden_channels: int = 256,
        region_batch_size: int = 256,
        high_iou: float = 0.7,
        low_iou: float = 0.3,
        pool_size: int = 7,
        box_decay: float = 5e-5,
    ) -> None:
        super().__init__()
        self.conventions = conventions or Conventions()
        self.pool_size = pool_size
        self.region_batch_size = region_batch_size
        self.high_iou, self.low_iou = high_iou, low_iou
        self.box_decay = box_decay
        scaled = [(width * anchor_scale, height * anchor_scale) for width, height in anchors]
        self.network = ProposalNetwork(channels, geometry, scaled, hidden_channels)

    def propose(self, maps: Sequence[Tensor]) -> list[Proposals]:
        """Every proposal of each of B images of one size, from one (B, C, h, w) map a level."""
        return self.network(maps)

    def sample(
        self,
        proposals: Proposals,
        truth: Tensor,
        image_size: tuple[int, int],
        generator: torch.Generator | None = None,
    ) -> tuple[SampledRegions, dict[str, Tensor]]:
        """Sample regions against the (M, 4) ``truth`` boxes; also the sums that the proposal losses are made of."""
        height, width = image_size
        rules = self.conventions
        boxes = clip_boxes(proposals.boxes, height, width) if rules.clip_training else proposals.boxes
        outside = None if rules.clip_training else _outside(boxes, height, width)
        chosen = sample_regions(
            boxes, truth, self.region_batch_size, self.high_iou, self.low_iou, outside, rules.biased_overlap, generator
        )
        rows = torch.cat((chosen.positive, chosen.negative))
        learnt = apply_transforms(proposals.anchors[rows], proposals.transforms[rows])
        learnt = clip_boxes(learnt, height, width) if rules.clip_training else learnt
        return SampledRegions(learnt, chosen.truth), self._terms(proposals, chosen, truth)

    def _terms(self, proposals: Proposals, chosen: Sample, truth: Tensor) -> dict[str, Tensor]:
        positive = F.log_softmax(proposals.scores[chosen.positive], dim=1)
        negative = F.log_softmax(proposals.scores[chosen.negative], dim=1)
        targets = invert_transforms(proposals.anchors[chosen.positive], truth[chosen.truth])
        return {
            "positive": -positive[:, 0],
            "negative": -negative[:, 1],
            "box": box_loss(proposals.transforms[chosen.positive], targets),
            "decay": 0.5 * self.box_decay * proposals.transforms.square().sum()[None],
        }

    def select(
        self, proposals: Proposals, image_size: tuple[int, int], settings: DetectionSettings
    ) -> tuple[Tensor, Tensor]:
        """The best proposals after clipping and NMS: boxes (R, 4) and probabilities (R,), best first."""
        height, width = image_size
        if self.conventions.clip_loses_pixel:
            boxes, valid = clip_boxes_2016(proposals.boxes, height, width)
        else:
            boxes = clip_boxes(proposals.boxes, height, width)
            valid = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        scores = proposals.scores.softmax(dim=1)[:, 0]
        boxes, scores = boxes[valid], scores[valid]
        kept = nms(boxes, scores, settings.proposal_nms_iou, settings.max_proposals)
        return boxes[kept], scores[kept]

    def pool(self, groups: Sequence[MapGroup], boxes: Sequence[Tensor], sizes: Sequence[tuple[int, int]]) -> Tensor:
        """Features (N, C, P, P) of all (R, 4) ``boxes`` of all images, in the order of the images.

        ``groups`` are images of one size: their indices (B of them) and one (B, C, h, w) map a level.
        """
        which: dict[int, Tensor] = {}
        points: dict[int, tuple[Tensor, Tensor]] = {}
        before = 0
        for members, maps in groups:
            for place, index in enumerate(members):
                level = assign_levels(boxes[index], self.network.geometry)  # (R,)
                which[index] = before + level * len(members) + place
                points[index] = self._points(boxes[index], level, maps, sizes[index])
            before += len(maps) * len(members)
        rows, columns = (torch.cat(items) for items in zip(*(points[index] for index in range(len(boxes)))))
        flat = [item for _, maps in groups for item in maps]
        owners = torch.cat([which[index] for index in range(len(boxes))])
        return bilinear_sample(flat, owners, rows, columns, self.conventions.misregistered_pooling)

    def _points(
        self, boxes: Tensor, level: Tensor, maps: Sequence[Tensor], image_size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        points = []
        for geometry, features in zip(self.network.geometry, maps):
            if self.conventions.misregistered_pooling:
                map_size = (features.shape[-2], features.shape[-1])
                points.append(pooling_points_2016(boxes, self.pool_size, image_size, map_size))
            else:
                points.append(pooling_points(boxes, self.pool_size, geometry))
        if len(points) == 1:
            return points[0]
        own = torch.arange(len(boxes), device=boxes.device)
        rows, columns = (torch.stack(items)[level, own] for items in zip(*points))
        return rows, columns


def box_loss(transforms: Tensor, targets: Tensor) -> Tensor:
    """Smooth L1 (P, 4) of transforms; boxes whose target exceeds ``MAX_TRANSFORM`` give 0 but still count."""
    valid = (targets.detach().abs().amax(dim=1, keepdim=True) <= MAX_TRANSFORM).expand_as(targets)
    zeros = torch.zeros_like(targets)
    return F.smooth_l1_loss(torch.where(valid, transforms, zeros), torch.where(valid, targets, zeros), reduction="none")


def _outside(boxes: Tensor, height: int, width: int) -> Tensor:
    """Boxes (N,) that leave pixels 1..W, 1..H of the original's inclusive coordinates."""
    x1, y1, x2, y2 = boxes.detach().unbind(-1)
    return (x1 < 0) | (y1 < 0) | (x2 > width) | (y2 > height)
