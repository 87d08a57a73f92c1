"""The parts of a model that become graphs: what sees pixels, what begins a caption, and what says the next word.

A dense captioner's first graph takes one image of any size; suppression among proposals is inside, that among final
boxes is left to whoever runs it, as its settings may be changed. A captioner of whole images takes squares.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchvision.ops import nms

from densecap.models.dense_captioner import DenseCaptioner
from densecap.models.image_captioner import ImageCaptioner
from densecap.models.settings import DetectionSettings
from densecap.ops.anchors import anchor_boxes
from densecap.ops.boxes import apply_transforms
from densecap.ops.clip_2016 import clip_boxes_2016
from densecap.ops.roi_pool import assign_levels, pooling_points, pooling_points_2016, taps


class Detector(nn.Module):
    """(3, H, W) uint8 RGB, already resized -> ``boxes`` (R, 4) in its pixels, ``logits`` (R,), ``features`` (R, F).

    Of all proposals that are left or, ``limited``, the best of them.
    """

    inputs, outputs = ("image",), ("boxes", "logits", "features")

    def __init__(self, model: DenseCaptioner, settings: DetectionSettings, limited: bool = False) -> None:
        super().__init__()
        self.backbone, self.network, self.recognition = model.backbone, model.localization.network, model.recognition
        self.pool_size, self.conventions, self.settings = model.localization.pool_size, model.conventions, settings
        self.limited = limited

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        maps = self.backbone(image[None])
        boxes, scores = self._proposals(maps, image.shape[1], image.shape[2])
        kept = nms(boxes, scores, self.settings.proposal_nms_iou)
        boxes = boxes[kept[: self.settings.max_proposals] if self.limited else kept]
        codes = self.recognition(self._pooled(maps, boxes, (image.shape[1], image.shape[2])))
        logits = self.recognition.objectness(codes)[:, 0]
        final = apply_transforms(boxes, self.recognition.box(codes))
        clipped = clip(final, image.shape[1], image.shape[2]) if self.conventions.clip_final else final
        return clipped, logits, codes

    def _proposals(self, maps: Sequence[Tensor], height: int, width: int) -> tuple[Tensor, Tensor]:
        """As ``LocalizationLayer.select`` before its suppression: boxes (N, 4) and probabilities (N,)."""
        network, transforms, scores, anchors = self.network, [], [], []
        for features, level, sizes in zip(maps, network.geometry, network.anchors):
            hidden = torch.relu(network.conv(features))
            transforms.append(self._rows(network.box_branch(hidden), 4))
            scores.append(self._rows(network.score_branch(hidden), 2))
            anchors.append(anchor_boxes(features.shape[-2], features.shape[-1], level, torch.tensor(sizes)))
        boxes = apply_transforms(torch.cat(anchors), torch.cat(transforms))
        if self.conventions.clip_loses_pixel:
            boxes, valid = clip_boxes_2016(boxes, height, width)
        else:
            boxes = clip(boxes, height, width)
            valid = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        return boxes[valid], torch.cat(scores).softmax(dim=1)[:, 0][valid]

    def _rows(self, maps: Tensor, width: int) -> Tensor:
        """(1, A * width, h, w) to (A * h * w, width), anchors outermost."""
        split = maps.reshape(self.network.num_anchors, width, maps.shape[-2], maps.shape[-1]).permute(0, 2, 3, 1)
        return split.reshape(self.network.num_anchors * maps.shape[-2] * maps.shape[-1], width)

    def _pooled(self, maps: Sequence[Tensor], boxes: Tensor, size: tuple[int, int]) -> Tensor:
        """(R, C, P, P): four rows of one table of cells for each sample, as ``bilinear_sample`` weighs them."""
        level = assign_levels(boxes, self.network.geometry)  # (R,)
        places = [self._points(boxes, index, maps[index], size) for index in range(len(maps))]
        rows, columns = _own([rows for rows, _ in places], level), _own([columns for _, columns in places], level)
        starts, heights, widths, before = level * 0, level * 0, level * 0, 0
        for index, item in enumerate(maps):
            mine = (level == index).long()
            starts, heights = starts + mine * before, heights + mine * item.shape[2]
            widths, before = widths + mine * item.shape[3], before + item.shape[2] * item.shape[3]
        zeros = self.conventions.misregistered_pooling
        row_taps, column_taps = taps(rows, heights[:, None], zeros), taps(columns, widths[:, None], zeros)
        table = torch.cat([item[0].flatten(1).t() for item in maps])  # (cells, C)
        total: Tensor | None = None
        for tap in range(4):
            row, column = row_taps[tap // 2], column_taps[tap % 2]  # (R, P)
            cells = starts[:, None, None] + row[:, :, None] * widths[:, None, None] + column[:, None, :]
            weights = row_taps[2][:, :, None, tap // 2] * column_taps[2][:, None, :, tap % 2]
            part = table[cells] * weights[..., None]  # (R, P, P, C)
            total = part if total is None else total + part
        assert total is not None
        return total.permute(0, 3, 1, 2)

    def _points(self, boxes: Tensor, level: int, features: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        if self.conventions.misregistered_pooling:
            return pooling_points_2016(boxes, self.pool_size, size, (features.shape[-2], features.shape[-1]))
        return pooling_points(boxes, self.pool_size, self.network.geometry[level])


def _own(choices: Sequence[Tensor], level: Tensor) -> Tensor:
    """(R, P) of each region's own level, from one such for every level."""
    chosen = choices[0]
    for index, choice in enumerate(choices[1:], start=1):
        chosen = torch.where((level == index)[:, None], choice, chosen)
    return chosen


def clip(boxes: Tensor, height: int, width: int) -> Tensor:
    """``clip_boxes`` where height and width are not known before the graph runs."""
    return torch.stack([boxes[:, side].clamp(0, (width, height)[side % 2]) for side in range(4)], dim=1)


class Encoder(nn.Module):
    """Squares (K, 3, S, S) uint8 RGB -> ``features`` (K, F) of a captioner of whole images."""

    inputs, outputs = ("squares",), ("features",)

    def __init__(self, model: ImageCaptioner) -> None:
        super().__init__()
        self.backbone = model.backbone

    def forward(self, squares: Tensor) -> Tensor:
        return self.backbone.image_features(squares)


class Start(nn.Module):
    """Features (N, F) -> the decoder's state before START, its tensors in the order of ``names``."""

    def __init__(self, model: DenseCaptioner | ImageCaptioner) -> None:
        super().__init__()
        self.scaling = getattr(model, "scaling", None) or nn.Identity()
        self.decoder = model.decoder
        with torch.no_grad():
            self.names = tuple(self.decoder.init_state(torch.zeros(1, self.decoder.feature_dim)))
        self.inputs, self.outputs = ("features",), tuple(f"state.{name}" for name in self.names)

    def forward(self, features: Tensor) -> tuple[Tensor, ...]:
        state = self.decoder.init_state(self.scaling(features))
        return tuple(state[name] for name in self.names)


class Step(nn.Module):
    """Tokens (N,) int64 and the state -> ``scores`` (N, V + 1) of the next word and the next state."""

    def __init__(self, model: DenseCaptioner | ImageCaptioner, names: Sequence[str]) -> None:
        super().__init__()
        self.decoder, self.names = model.decoder, tuple(names)
        self.inputs = ("tokens", *(f"state.{name}" for name in self.names))
        self.outputs = ("scores", *(f"next.{name}" for name in self.names))

    def forward(self, tokens: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        scores, following = self.decoder.step(tokens, dict(zip(self.names, state)))
        return (scores, *(following[name].clone() for name in self.names))
