"""A small model of soloist97's densecap-pytorch made of torchvision's own parts, and what it finds and says."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import FrozenBatchNorm2d, batched_nms, clip_boxes_to_image, remove_small_boxes

TOKENS = ["<pad>", "<bos>", "<eos>", "<unk>", "a", "dog", "on", "grass", "red"]
MAX_LENGTH, FEATURES, WIDTH, HIDDEN = 16, 24, 10, 12


class Describer(nn.Module):
    """Embedding, LSTM, projection of the region, scores; fusion_type=init_inject, or the layers of merge."""

    def __init__(self, layers: int = 1, merge: bool = False) -> None:
        super().__init__()
        self.embedding_layer = nn.Embedding(len(TOKENS), WIDTH)
        self.rnn = nn.LSTM(WIDTH, HIDDEN, layers, batch_first=True)
        self.feature_project_layer = nn.Sequential(nn.Linear(FEATURES, WIDTH), nn.ReLU())
        self.fc_layer = nn.Linear(HIDDEN + WIDTH if merge else HIDDEN, len(TOKENS))

    def captions(self, codes: Tensor) -> list[str]:
        """The likeliest word a step, as BoxDescriber.forward_test."""
        said: list[list[str]] = [[] for _ in codes]
        state = self.rnn(self.feature_project_layer(codes)[:, None])[1]
        tokens = torch.full((len(codes),), TOKENS.index("<bos>"))
        ended = torch.zeros(len(codes), dtype=torch.bool)
        for _ in range(MAX_LENGTH):
            hidden, state = self.rnn(self.embedding_layer(tokens)[:, None], state)
            scores = self.fc_layer(hidden[:, 0])
            scores[:, :2] = -torch.inf  # <pad> and <bos> cannot be said here
            tokens = scores.argmax(dim=1)
            ended |= tokens == TOKENS.index("<eos>")
            for own, token, done in zip(said, tokens.tolist(), ended.tolist()):
                if not done:
                    own.append(TOKENS[token].replace("<unk>", "<UNK>"))
        return [" ".join(words) for words in said]


class Model(FasterRCNN):
    """Random, with normalisation that matters and scores that differ."""

    def __init__(self, layers: int = 1, merge: bool = False, seed: int = 0) -> None:
        torch.manual_seed(seed)
        norm: Any = lambda width: FrozenBatchNorm2d(width, eps=0.0)  # noqa: E731
        backbone = resnet_fpn_backbone(backbone_name="resnet50", weights=None, norm_layer=norm)
        parts: Any = {"box_head": TwoMLPHead(256 * 49, FEATURES), "box_predictor": FastRCNNPredictor(FEATURES, 2)}
        super().__init__(backbone, min_size=64, max_size=4096, rpn_score_thresh=0.0, **parts)
        self.roi_heads.box_describer = Describer(layers, merge)
        for name, value in self.named_buffers():
            if "running_var" in name:
                value.copy_(torch.rand_like(value) + 0.5)
            elif "running_mean" in name:
                value.copy_(torch.randn_like(value) / 10)
            elif "bn3.weight" in name:
                value.mul_(0.2)
        self.eval()
        self._spread(torch.rand(1, 3, 7, 9).repeat_interleave(20, 2).repeat_interleave(20, 3))

    @torch.no_grad()
    def _spread(self, image: Tensor) -> None:
        """Scale the layers so that scores, boxes and words of regions of an image (1, 3, H, W) differ."""
        size = (image.shape[2], image.shape[3])
        maps = self.backbone(image)
        hidden = F.relu(self.rpn.head.conv(maps["0"]))
        for layer, spread in ((self.rpn.head.cls_logits, 0.5), (self.rpn.head.bbox_pred, 0.1)):
            _scale(layer, hidden, spread)
        heads, corners = self.roi_heads, torch.rand(60, 2) * 100
        boxes = torch.cat((corners, corners + torch.rand(60, 2) * 60 + 5), dim=1)
        codes = heads.box_head(heads.box_roi_pool(maps, [boxes], [size]))
        _scale(heads.box_predictor.cls_score, codes, 1.0)
        _scale(heads.box_predictor.bbox_pred, codes, 1.0)
        _scale(heads.box_describer.feature_project_layer[0], codes, 3.0)
        for weight in heads.box_describer.rnn.parameters():
            weight.mul_(3)

    @torch.no_grad()
    def describe(self, image: Tensor) -> tuple[Tensor, Tensor, list[str]]:
        """Boxes (R, 4), scores (R,) and captions of a (3, H, W) uint8 image, not resized, as DenseCapRoIHeads."""
        size = (image.shape[1], image.shape[2])
        pixels = self.transform.normalize(image.float() / 255)
        padded = F.pad(pixels, (0, -size[1] % 32, 0, -size[0] % 32))[None]
        maps = self.backbone(padded)
        proposals, _ = self.rpn(ImageList(padded, [size]), maps)
        heads = self.roi_heads
        codes = heads.box_head(heads.box_roi_pool(maps, proposals, [size]))
        logits, deltas = heads.box_predictor(codes)
        boxes = clip_boxes_to_image(heads.box_coder.decode(deltas, proposals)[:, 1], size)
        scores = logits.softmax(dim=1)[:, 1]
        rows = torch.nonzero(scores > 0.05)[:, 0]
        rows = rows[remove_small_boxes(boxes[rows], 1e-2)]
        rows = rows[batched_nms(boxes[rows], scores[rows], torch.ones_like(rows), 0.5)][:100]
        return boxes[rows], scores[rows], self.roi_heads.box_describer.captions(codes[rows])

    def old_names(self) -> dict[str, Tensor]:
        """The state dict as torchvision 0.5 named it."""
        names = {"rpn.head.conv.0.0": "rpn.head.conv"}
        names |= {f"fpn.{kind}.{i}.0": f"fpn.{kind}.{i}" for kind in ("inner_blocks", "layer_blocks") for i in range(4)}
        state = {}
        for name, value in self.state_dict().items():
            for new, old in names.items():
                name = name.replace(f"{new}.", f"{old}.")
            state[name] = value
        return state


def _scale(layer: Any, seen: Tensor, spread: float) -> None:
    """Weights and biases so that each output has mean 0 and that deviation over what is seen."""
    layer.bias.zero_()
    found = layer(seen)
    flat = found.transpose(0, 1).flatten(1)  # (channels, places)
    factor = spread / flat.std(dim=1).clamp(min=1e-6)
    layer.weight.mul_(factor.view(-1, *(1 for _ in layer.weight.shape[1:])))
    layer.bias.copy_(-flat.mean(dim=1) * factor)


def save_model(path: Path, model: Model, old: bool = True) -> Path:
    """As train.py saves it, with PyTorch 1.4 or today."""
    results = {"map": 0.0938, "detmap": 0.253, "ap_breakdown": {"iou_0.3_meteor_0": 0.275}}
    content = {"model": model.old_names() if old else model.state_dict(), "results_on_val": results}
    torch.save(content, path, _use_new_zipfile_serialization=not old)
    return path


def save_tables(path: Path) -> Path:
    """The look-up tables of preprocess.py."""
    tables = {
        "token_to_idx": {word: index for index, word in enumerate(TOKENS)},
        "idx_to_token": dict(enumerate(TOKENS)),
        "filename_to_idx": {"1.jpg": 0},
        "idx_to_filename": {0: "1.jpg"},
        "idx_to_directory": {0: "VG_100K"},
        "split": {"train": [0], "val": [], "test": []},
    }
    path.write_bytes(pickle.dumps(tables, 3))
    return path
