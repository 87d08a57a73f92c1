"""DenseCap's released model, ``densecap-pretrained-vgg16.t7``: a Torch7 file that train.lua wrote.

Every weight comes from ``model.nets``. Gradients, cached outputs, criteria and the graph of modules are not looked at.
Sizes are those of the tensors; the file's own options are not needed. Lua's ids: words 1..V, START = END = V + 1, NULL
V + 2, boxes (tx, ty, tw, th) and scores (region, background) of each anchor. conv1_1 keeps its input of BGR.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from densecap.conversion import model_config
from densecap.conversion.beside import NOTHING, Beside
from densecap.conversion.converted import Converted, ForeignModel, as_checkpoint
from densecap.conversion.recurrent_layers import embedding_rows, gates_reordered, output_rows
from densecap.conversion.torch7.place import Place
from densecap.conversion.torch7.values import Torch7File, fields_of, in_words
from densecap.conversion.vgg16_layers import CONVOLUTIONS
from densecap.models.backbones.vgg16 import VGG16
from densecap.models.decoders.lstm import LSTMDecoder

#: First centre, counted from 1, and stride of VGG-16's map (net_utils.lua), which the backbone has as well.
CENTRE, STRIDE = 8.5, 16.0

FORMAT = "densecap_t7"

Weights = dict[str, np.ndarray]


def matches(file: Torch7File) -> bool:
    return any("language_model" in fields_of(nets) for nets in _candidates(file.root))


def _candidates(root: Any) -> list[Any]:
    """Where ``nets`` may be: in the checkpoint's model, or in a model saved by itself."""
    return [fields_of(holder).get("nets") for holder in (fields_of(root).get("model"), root)]


def convert(file: Torch7File, path: Path, beside: Beside = NOTHING) -> Converted:
    """The checkpoint; errors as for ``read``."""
    return as_checkpoint(read(file), path, FORMAT)


def read(file: Torch7File) -> ForeignModel:
    """The model of a file. Errors: UserError that says what was found in place of what is needed."""
    root = Place(file.path, "", file.root)
    model = root.child("model") if root.has("model") else root
    nets = model.child("nets")
    language = nets.child("language_model")
    words = _words([language, *(place.child("opt") for place in (model, root) if place.has("opt"))])
    convolutions = _convolutions(nets)
    layer, network = _proposals(nets)
    recognition, sizes = _recognition(nets)
    decoder, widths = _decoder(language, len(words), sizes["hidden_dim"])
    config = model_config.dense_captioner(
        model_config.backbone(VGG16, classifier=None, normalization="caffe_bgr"),
        localization=layer | {"pool_size": sizes.pop("pool_size")},
        recognition=sizes,
        decoder=model_config.decoder(LSTMDecoder, **widths),
        compat="densecap2016",
    )
    return ForeignModel(
        name="densecap_vgg16_2016",
        config=config,
        words=words,
        weights=convolutions | network | recognition | decoder,
        data_name="visual_genome",
        max_length=int(language.number("seq_length", 15)),
        facts={"iterations": int(root.number("iter", 0))},
        figures=_figures(root),
    )


def _words(holders: list[Place]) -> list[str]:
    """The words in the order of their ids, from the first that knows them: the language model, or the options."""
    place = next((holder for holder in holders if holder.has("idx_to_token")), holders[0]).child("idx_to_token")
    entries = fields_of(place.value)
    words: list[str] = []
    for index in range(1, len(entries) + 1):
        word = entries.get(index, entries.get(str(index)))
        if not isinstance(word, str):
            raise place.error(f"there should be a word for each id from 1, but {index} is {in_words(word)}")
        words.append(word)
    return words


def _convolutions(nets: Place) -> Weights:
    found = [*nets.child("conv_net1").weighted(4, "conv1_1 to conv2_2")]
    found += nets.child("conv_net2").weighted(9, "conv3_1 to conv5_3")
    weights: Weights = {}
    for layer, (place, out, channels) in zip(found, CONVOLUTIONS.values()):
        weights[f"backbone.features.{place}.weight"] = layer.tensor("weight", out, channels, 3, 3)
        weights[f"backbone.features.{place}.bias"] = layer.tensor("bias", out)
    return weights


def _proposals(nets: Place) -> tuple[dict[str, Any], Weights]:
    """What is special about the localization layer, and its tensors."""
    place = nets.find("localization_layer", "nets", "rpn")
    names = ("conv", "box_branch", "score_branch")
    layers = dict(zip(names, place.weighted(3, "the 3 x 3 convolution, the branch of boxes and that of scores")))
    anchors = _anchors(place)
    hidden = len(layers["conv"].tensor("bias", None))
    shapes = {
        "conv": (hidden, 512, 3, 3),
        "box_branch": (4 * len(anchors), hidden, 1, 1),
        "score_branch": (2 * len(anchors), hidden, 1, 1),
    }
    weights: Weights = {}
    for name, layer in layers.items():
        weights[f"localization.network.{name}.weight"] = layer.tensor("weight", *shapes[name])
        weights[f"localization.network.{name}.bias"] = layer.tensor("bias", shapes[name][0])
    return {"anchors": anchors, "hidden_channels": hidden}, weights


def _anchors(network: Place) -> list[list[float]]:
    """(width, height) of each anchor. Errors: UserError when they are centred elsewhere than ours."""
    makers = [place for place in network.leaves() if place.class_name.endswith("MakeAnchors")]
    if len(makers) != 1:
        raise network.error(f"there should be one nn.MakeAnchors, but there are {len(makers)}")
    (maker,) = makers
    for key, value in {"x0": CENTRE, "y0": CENTRE, "sx": STRIDE, "sy": STRIDE}.items():
        if maker.number(key, value) != value:
            raise maker.error(f"{key} should be {value}, but it is {maker.number(key, value)}")
    return [[_whole(side) for side in pair] for pair in maker.tensor("anchors", 2, None).T.tolist()]


def _whole(side: float) -> float:
    return int(side) if float(side).is_integer() else side


def _recognition(nets: Place) -> tuple[Weights, dict[str, Any]]:
    fc6, fc7 = nets.child("recog_base").weighted(2, "fc6 and fc7")
    first = fc6.tensor("weight", None, None)
    hidden, cells = first.shape[0], first.shape[1] // 512
    side = math.isqrt(cells)
    if 512 * side * side != first.shape[1]:
        raise fc6.error(f"fc6 should read a square map of 512 channels, but it reads {first.shape[1]:,} values")
    layers = {
        "fc6": (fc6, hidden, first.shape[1]),
        "fc7": (fc7, hidden, hidden),
        "objectness": (nets.child("objectness_branch"), 1, hidden),
        "box": (nets.child("box_reg_branch"), 4, hidden),
    }
    weights: Weights = {}
    for name, (layer, out, width) in layers.items():
        weights[f"recognition.{name}.weight"] = layer.tensor("weight", out, width)
        weights[f"recognition.{name}.bias"] = layer.tensor("bias", out)
    return weights, {"hidden_dim": hidden, "pool_size": side}


def _decoder(language: Place, num_words: int, feature_dim: int) -> tuple[Weights, dict[str, Any]]:
    (encoder,) = language.child("image_encoder").weighted(1, "the encoder of the region")
    *cells, output = _recurrence(language.child("rnn"))
    embedding_dim = len(encoder.tensor("bias", None))
    hidden_dim = cells[0].tensor("weight", None, None).shape[1] // 4
    table = language.child("lookup_table").tensor("weight", num_words + 2, embedding_dim)
    weights = {
        "image_encoder.0.weight": encoder.tensor("weight", embedding_dim, feature_dim),
        "image_encoder.0.bias": encoder.tensor("bias", embedding_dim),
        "embedding.weight": embedding_rows(table, num_words, padding=num_words + 1),
        "output.weight": output_rows(output.tensor("weight", num_words + 1, hidden_dim), num_words),
        "output.bias": output_rows(output.tensor("bias", num_words + 1), num_words),
    }
    for index, cell in enumerate(cells):
        width = hidden_dim if index else embedding_dim
        rows = gates_reordered(cell.tensor("weight", width + hidden_dim, 4 * hidden_dim).T, hidden_dim)
        weights[f"cells.{index}.weight_ih"], weights[f"cells.{index}.weight_hh"] = rows[:, :width], rows[:, width:]
        weights[f"cells.{index}.bias"] = gates_reordered(cell.tensor("bias", 4 * hidden_dim), hidden_dim)
    sizes = {"embedding_dim": embedding_dim, "hidden_dim": hidden_dim, "num_layers": len(cells)}
    return {f"decoder.{name}": array for name, array in weights.items()}, sizes


def _recurrence(network: Place) -> list[Place]:
    """The LSTMs, and the layer of words after them."""
    found = [place for place in network.leaves() if place.has("weight")]
    kinds = [place.class_name.rpartition(".")[2] for place in found]
    if len(found) < 2 or set(kinds[:-1]) != {"LSTM"} or kinds[-1] != "Linear":
        listed = ", ".join(place.class_name for place in found) or "none with weights"
        raise network.error(f"there should be nn.LSTM and then nn.Linear, but the modules are {listed}")
    return found


def _figures(root: Place) -> dict[str, float]:
    """The best mAP that training saw in validation, as a share of 1."""
    results = fields_of(fields_of(root.value).get("results_history")).values()
    maps = [fields_of(fields_of(result).get("ap_results")).get("map") for result in results]
    numbers = [value for value in maps if isinstance(value, float)]
    return {"validation dense_mAP": max(numbers)} if numbers else {}
