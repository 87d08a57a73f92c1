"""soloist97's densecap-pytorch: a Faster R-CNN of torchvision 0.5 with an LSTM, ``{name}.pth.tar`` of its train.py.

Tensors are under ``model``; words are in the look-up tables of its preprocess.py, which is given beside the file. Ids:
``<pad>``, ``<bos>``, ``<eos>``, mostly ``<unk>``, words. Exact are the network, anchors, RoIAlign, suppression and
greedy captions. Its two scores of a region become the one that is their difference, and its boxes' weights (10, 10, 5,
5) go into the layer of boxes. What cannot be carried over:

* images are brought to 300 pixels on the shorter side, at most 720 on the longer, without smoothing; here 400 on the
  longer, with it, the same for the usual 4:3
* the fifth map has 64 pixels a cell here, there its cells are spread over the image, and no box grows more than 62-fold
* ``<pad>`` and ``<bos>`` cannot be said
* models of ``fusion_type=merge``, whose words are chosen from region and memory side by side: no decoder here does that
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from densecap.conversion import model_config
from densecap.conversion.beside import Beside
from densecap.conversion.converted import Converted, ForeignModel, as_checkpoint
from densecap.conversion.resnet_layers import backbone_weights
from densecap.conversion.state_dict import StateDict
from densecap.conversion.torch_files import load
from densecap.conversion.word_files import read_words
from densecap.errors import UserError
from densecap.models.backbones.resnet50 import ResNet50FPN
from densecap.models.decoders.lstm import LSTMDecoder
from densecap.models.localization.fpn import FPNLocalization
from densecap.text.vocabulary import UNKNOWN

FORMAT = "densecap_pytorch"

PADDING, START, END, FOREIGN_UNKNOWN = "<pad>", "<bos>", "<eos>", "<unk>"

DESCRIBER, HEAD, PREDICTOR = "roi_heads.box_describer", "roi_heads.box_head", "roi_heads.box_predictor"

#: Sides of the squares of the five maps' anchors; the others are twice as wide as high, and the reverse.
SQUARES = (32, 64, 128, 256, 512)

#: Channels of the pyramid.
CHANNELS = 256

#: Longest side of images, see above; how regions become boxes; longest caption in words.
IMAGE_SIZE = 400
DETECTION = {"final_nms_iou": 0.5, "score_threshold": 0.05, "max_detections": 100}
MAX_LENGTH = 16

#: By what the box head's numbers are divided (BoxCoder of Faster R-CNN).
BOX_WEIGHTS = np.array([10, 10, 5, 5], np.float32)

Weights = dict[str, np.ndarray]


def suits(path: Path) -> bool:
    return path.name.lower().endswith((".pth.tar", ".pth", ".pt"))


def opened(path: Path) -> Any:
    """What ``torch.load`` gives for plain values. Errors: UserError, for pickled objects with the way around."""
    copy = f"torch.save({{'model': torch.load('{path}', weights_only=False)['model']}}, 'tensors.pth.tar')"
    return load(
        path,
        f"{path} holds pickled objects beside tensors, which can run code when they are opened, so it is not opened; "
        f'if you trust where it comes from, copy its tensors on purpose: python -c "import torch; {copy}"',
    )


def matches(content: Any) -> bool:
    model = content.get("model") if isinstance(content, Mapping) else None
    return isinstance(model, Mapping) and any(str(name).startswith(f"{DESCRIBER}.") for name in model)


def convert(content: Any, path: Path, beside: Beside) -> Converted:
    """The checkpoint; errors as for ``read``."""
    return as_checkpoint(read(content, path, beside), path, FORMAT)


def read(content: Any, path: Path, beside: Beside) -> ForeignModel:
    """The model. Errors: UserError when a tensor is missing or of another size, or the words are not those of it."""
    if not matches(content):
        raise UserError(f"{path} is not as expected: it should hold tensors under 'model', some of {DESCRIBER}")
    state = StateDict(content["model"], path)
    table = state.tensor(f"{DESCRIBER}.embedding_layer.weight", None, None)
    ids, words = _words(beside.vocabulary, len(table), path)
    recognition, hidden_dim = _recognition(state)
    decoder, sizes = _decoder(state, table, ids, hidden_dim)
    config = model_config.dense_captioner(
        model_config.backbone(ResNet50FPN, detector=True),
        localization={"anchors": [list(size) for size in _anchors()]},
        recognition={"hidden_dim": hidden_dim},
        decoder=model_config.decoder(LSTMDecoder, **sizes),
        layer_class=FPNLocalization,
        image_size=IMAGE_SIZE,
    )
    return ForeignModel(
        name="densecap_pytorch",
        config=config,
        words=words,
        weights=backbone_weights(state) | _proposals(state) | recognition | decoder,
        data_name="visual_genome",
        max_length=MAX_LENGTH,
        facts={"words": beside.vocabulary.name if beside.vocabulary else ""},
        figures=figures_of(content),
        detection=DETECTION,
    )


def _words(path: Path | None, rows: int, model: Path) -> tuple[list[int], list[str]]:
    """The ids of START, END and of the words, in their order, and the words. Errors: UserError."""
    if path is None:
        raise UserError(
            f"{model} holds no words: give the look-up tables that preprocess.py wrote, "
            "vocabulary=VG-regions-dicts-lite.pkl"
        )
    found = read_words(path)
    missing = [word for word in (PADDING, START, END) if word not in found]
    if len(found) != rows or missing:
        without = f" without {missing[0]}" if missing else ""
        raise UserError(
            f"{path} holds {len(found):,} words{without}, but {model} was trained on {rows:,}: give the look-up tables "
            "that belong to it"
        )
    kept = [index for index, word in enumerate(found) if word not in (PADDING, START, END)]
    words = [UNKNOWN if found[index] == FOREIGN_UNKNOWN else found[index] for index in kept]
    return [found.index(START), found.index(END), *kept], words


def _anchors() -> list[tuple[int, int]]:
    """(width, height) in the order of torchvision's maps and shapes; it rounds their corners."""
    found = []
    for square in SQUARES:
        for ratio in (0.5, 1.0, 2.0):
            width, height = square / math.sqrt(ratio), square * math.sqrt(ratio)
            found.append((2 * round(width / 2), 2 * round(height / 2)))
    return found


def _proposals(state: StateDict) -> Weights:
    """The one score of an anchor becomes two, that of the background 0."""
    weights: Weights = {}
    for part in ("weight", "bias"):
        filters, shape = ((CHANNELS, 3, 3), (CHANNELS, 1, 1)) if part == "weight" else ((), ())
        names = (f"rpn.head.conv.{part}", f"rpn.head.conv.0.0.{part}")  # torchvision 0.5, and today's
        weights[f"conv.{part}"] = state.first(names, CHANNELS, *filters)
        weights[f"box_branch.{part}"] = state.tensor(f"rpn.head.bbox_pred.{part}", 12, *shape)
        scores = state.tensor(f"rpn.head.cls_logits.{part}", 3, *shape)
        both = np.stack((scores, np.zeros_like(scores)), axis=1)
        weights[f"score_branch.{part}"] = both.reshape(6, *shape)
    return {f"localization.network.{name}": array for name, array in weights.items()}


def _recognition(state: StateDict) -> tuple[Weights, int]:
    """fc6 and fc7; of the two classes' scores the difference, of the two classes' boxes the region's."""
    hidden = len(state.tensor(f"{HEAD}.fc7.bias", None))
    weights: Weights = {}
    for layer, width in (("fc6", CHANNELS * 7 * 7), ("fc7", hidden)):
        weights[f"{layer}.weight"] = state.tensor(f"{HEAD}.{layer}.weight", hidden, width)
        weights[f"{layer}.bias"] = state.tensor(f"{HEAD}.{layer}.bias", hidden)
    for part, shape in (("weight", (hidden,)), ("bias", ())):
        scores = state.tensor(f"{PREDICTOR}.cls_score.{part}", 2, *shape)
        weights[f"objectness.{part}"] = (scores[1] - scores[0])[None]
        boxes = state.tensor(f"{PREDICTOR}.bbox_pred.{part}", 8, *shape)[4:]
        weights[f"box.{part}"] = boxes / BOX_WEIGHTS.reshape(4, *(1 for _ in shape))
    return {f"recognition.{name}": array for name, array in weights.items()}, hidden


def _decoder(state: StateDict, table: np.ndarray, ids: list[int], feature_dim: int) -> tuple[Weights, dict[str, int]]:
    """PyTorch's own LSTM has our order of gates, and two biases."""
    start, end, *kept = ids
    width = table.shape[1]
    hidden = state.tensor(f"{DESCRIBER}.rnn.weight_hh_l0", None, None).shape[1]
    layers = sum(name.startswith(f"{DESCRIBER}.rnn.weight_hh_l") for name in state.names)
    if state.tensor(f"{DESCRIBER}.fc_layer.weight", len(table), None).shape[1] != hidden:
        raise UserError(
            f"{state.path} was trained with fusion_type=merge, whose words are chosen from region and memory side by "
            "side; no decoder here does that: give a model of fusion_type=init_inject"
        )
    project = f"{DESCRIBER}.feature_project_layer.0"
    scores = state.tensor(f"{DESCRIBER}.fc_layer.weight", len(table), hidden)
    bias = state.tensor(f"{DESCRIBER}.fc_layer.bias", len(table))
    weights = {
        "image_encoder.0.weight": state.tensor(f"{project}.weight", width, feature_dim),
        "image_encoder.0.bias": state.tensor(f"{project}.bias", width),
        "embedding.weight": table[[end, *kept, start]],
        "output.weight": scores[[end, *kept]],
        "output.bias": bias[[end, *kept]],
    }
    for index in range(layers):
        below = hidden if index else width
        own = {part: f"{DESCRIBER}.rnn.{part}_l{index}" for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
        weights[f"cells.{index}.weight_ih"] = state.tensor(own["weight_ih"], 4 * hidden, below)
        weights[f"cells.{index}.weight_hh"] = state.tensor(own["weight_hh"], 4 * hidden, hidden)
        biases = [state.tensor(own[part], 4 * hidden) for part in ("bias_ih", "bias_hh")]
        weights[f"cells.{index}.bias"] = biases[0] + biases[1]
    sizes = {"embedding_dim": width, "hidden_dim": hidden, "num_layers": layers}
    return {f"decoder.{name}": array for name, array in weights.items()}, sizes


def figures_of(content: Mapping[str, Any]) -> dict[str, float]:
    """What train.py measured in validation, by its own evaluator."""
    results = content.get("results_on_val")
    names = {"map": "validation dense_mAP, its own", "detmap": "validation detection mAP, its own"}
    found = {names[key]: results.get(key) for key in names} if isinstance(results, Mapping) else {}
    numbers = {name: float(value) for name, value in found.items() if isinstance(value, float | int | Tensor)}
    return {name: value for name, value in numbers.items() if np.isfinite(value)}
