"""NeuralTalk2's model of whole images: a Torch7 file that its train.lua wrote, VGG-16 up to fc7 and an LSTM.

Weights come from ``protos.cnn`` and ``protos.lm``. That network reads RGB, the backbone here BGR, so the channels of
conv1_1 are turned. Ids: words 1..V, START = END = V + 1. ``UNK`` becomes ``<UNK>``, as unknown words are called here.
Its eval.lua looks at 224 x 224 pixels in the middle of the image resized to 256 x 256, and searches with two beams.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from densecap.conversion import model_config
from densecap.conversion.beside import NOTHING, Beside
from densecap.conversion.converted import Converted, ForeignModel, as_checkpoint
from densecap.conversion.recurrent_layers import embedding_rows, gates_reordered, output_rows
from densecap.conversion.torch7.place import Place
from densecap.conversion.torch7.values import Torch7File, fields_of, in_words
from densecap.conversion.vgg16_layers import CONVOLUTIONS, FULLY_CONNECTED
from densecap.models.backbones.vgg16 import VGG16
from densecap.models.decoders.lstm import LSTMDecoder
from densecap.text.vocabulary import UNKNOWN

FORMAT = "neuraltalk2_t7"

#: How the file writes a word that is too rare to be one.
FOREIGN_UNKNOWN = "UNK"

Weights = dict[str, np.ndarray]


def matches(file: Torch7File) -> bool:
    return {"cnn", "lm"} <= fields_of(fields_of(file.root).get("protos")).keys()


def convert(file: Torch7File, path: Path, beside: Beside = NOTHING) -> Converted:
    """The checkpoint; errors as for ``read``."""
    return as_checkpoint(read(file), path, FORMAT)


def read(file: Torch7File) -> ForeignModel:
    """The model of a file. Errors: UserError that says what was found in place of what is needed."""
    root = Place(file.path, "", file.root)
    words = _words(root.child("vocab"))
    network, encoder = _network(root.find("protos", "cnn"))
    language = root.find("protos", "lm")
    decoder, widths = _decoder(language, encoder, len(words))
    config = model_config.image_captioner(
        model_config.backbone(VGG16, classifier=True, normalization="caffe_bgr"),
        model_config.decoder(LSTMDecoder, **widths),
        crop="squash_center",
    )
    return ForeignModel(
        name="neuraltalk2",
        config=config,
        words=words,
        weights=network | decoder,
        data_name="coco",
        max_length=int(language.number("seq_length", 16)),
        facts={"iterations": int(root.number("iter", 0))},
        figures=_figures(root),
    )


def _words(vocabulary: Place) -> list[str]:
    entries = fields_of(vocabulary.value)
    words: list[str] = []
    for index in range(1, len(entries) + 1):
        word = entries.get(str(index), entries.get(index))
        if not isinstance(word, str):
            raise vocabulary.error(f"there should be a word for each id from 1, but {index} is {in_words(word)}")
        words.append(UNKNOWN if word == FOREIGN_UNKNOWN else word)
    return words


def _network(cnn: Place) -> tuple[Weights, Place]:
    """VGG-16's tensors, and the layer after them, which makes a word's vector of fc7."""
    *layers, encoder = cnn.weighted(len(CONVOLUTIONS) + 3, "VGG-16 up to fc7 and one layer more")
    weights: Weights = {}
    for layer, (name, (place, out, channels)) in zip(layers, CONVOLUTIONS.items()):
        filters = layer.tensor("weight", out, channels, 3, 3)
        weights[f"backbone.features.{place}.weight"] = filters[:, ::-1] if name == "conv1_1" else filters
        weights[f"backbone.features.{place}.bias"] = layer.tensor("bias", out)
    for layer, name in zip(layers[len(CONVOLUTIONS) :], ("fc6", "fc7")):
        place, out, width = FULLY_CONNECTED[name]
        weights[f"backbone.classifier.{place}.weight"] = layer.tensor("weight", out, width)
        weights[f"backbone.classifier.{place}.bias"] = layer.tensor("bias", out)
    return weights, encoder


def _decoder(language: Place, encoder: Place, num_words: int) -> tuple[Weights, dict[str, Any]]:
    embedding_dim = len(encoder.tensor("bias", None))
    table = language.child("lookup_table").tensor("weight", num_words + 1, embedding_dim)
    named = _annotated(language.child("core"))
    count = sum(name.startswith("h2h_") for name in named)
    missing = [name for name in ("i2h_1", "h2h_1", "decoder") if name not in named]
    if missing:
        raise language.error(f"the graph should have nodes called i2h_1, h2h_1 and decoder, but it lacks {missing[0]}")
    hidden_dim = named["h2h_1"].tensor("weight", None, None).shape[1]
    weights: Weights = {
        "image_encoder.0.weight": encoder.tensor("weight", embedding_dim, 4096),
        "image_encoder.0.bias": encoder.tensor("bias", embedding_dim),
        "embedding.weight": embedding_rows(table, num_words, padding=num_words),
        "output.weight": output_rows(named["decoder"].tensor("weight", num_words + 1, hidden_dim), num_words),
        "output.bias": output_rows(named["decoder"].tensor("bias", num_words + 1), num_words),
    }
    for index in range(count):
        from_input, from_memory = named[f"i2h_{index + 1}"], named[f"h2h_{index + 1}"]
        for name, layer, width in (
            ("weight_ih", from_input, hidden_dim if index else embedding_dim),
            ("weight_hh", from_memory, hidden_dim),
        ):
            rows = layer.tensor("weight", 4 * hidden_dim, width)
            weights[f"cells.{index}.{name}"] = gates_reordered(rows, hidden_dim)
        bias = from_input.tensor("bias", 4 * hidden_dim) + from_memory.tensor("bias", 4 * hidden_dim)
        weights[f"cells.{index}.bias"] = gates_reordered(bias, hidden_dim)
    sizes = {"embedding_dim": embedding_dim, "hidden_dim": hidden_dim, "num_layers": count}
    return {f"decoder.{name}": array for name, array in weights.items()}, sizes


def _annotated(graph: Place) -> dict[str, Place]:
    """The modules of a graph by the names that their nodes were given."""
    nodes = graph.child("forwardnodes")
    found: dict[str, Place] = {}
    for key in fields_of(nodes.value):
        node = nodes.child(key)
        data = node.child("data") if node.has("data") else node
        name = fields_of(fields_of(data.value).get("annotations")).get("name")
        if isinstance(name, str) and data.has("module"):
            found[name] = data.child("module")
    return found


def _figures(root: Place) -> dict[str, float]:
    """The best CIDEr that training saw in validation."""
    history = fields_of(fields_of(root.value).get("val_lang_stats_history")).values()
    numbers = [score for item in history if isinstance(score := fields_of(item).get("CIDEr"), float)]
    return {"validation CIDEr": max(numbers)} if numbers else {}
