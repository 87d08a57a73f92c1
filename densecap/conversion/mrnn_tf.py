"""m-RNN as TF-mRNN published it, ``mrnn_GRU_570K.ckpt``: a checkpoint of TensorFlow, and a file of words beside it.

Forms of py_lib/tf_mrnn_model.py: ``mrnn``, in which the image joins every word, and ``init``, in which it is the first
memory. Ids are the lines of the file of words; ``<bos>`` is START and END, ``<unk>`` becomes ``<UNK>``, and ``<pad>``
cannot be said here. Names of the cells' variables differ between TensorFlow's versions, so they are known by their
ends. The network that saw the image is not in the file: its backbone is torchvision's Inception-v3 for vectors of 2048
numbers, and VGG-16 up to fc7 for 4096.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from densecap.builder import build
from densecap.conversion import model_config
from densecap.conversion.beside import Beside
from densecap.conversion.converted import Converted, ForeignModel, as_checkpoint
from densecap.conversion.tensorflow.checkpoint import TensorFlowFile
from densecap.conversion.word_files import read_words
from densecap.errors import UserError
from densecap.models.backbones.inception_v3 import InceptionV3
from densecap.models.backbones.vgg16 import VGG16
from densecap.models.backbones.weights import IMAGENET
from densecap.models.decoders.mrnn import MRNNDecoder
from densecap.models.decoders.mrnn_init import InitDecoder
from densecap.text.vocabulary import UNKNOWN

FORMAT = "mrnn_tf"

#: Words of the release, and the longest caption it says.
PADDING, FOREIGN_UNKNOWN, START = "<pad>", "<unk>", "<bos>"
MAX_LENGTH = 30

#: What TensorFlow adds to the forget gate when it runs, and we keep in its bias.
FORGET_BIAS = 1.0
#: TensorFlow's gates of an LSTM are input, candidate, forget, output; ours are input, forget, candidate, output.
LSTM_GATES = (0, 2, 1, 3)

Weights = dict[str, np.ndarray]


def matches(file: TensorFlowFile) -> bool:
    ends = {name.rpartition("/")[2] for name in file.variables}
    return {"embedding", "w_m2w", "b_loss"} <= ends


def convert(file: TensorFlowFile, path: Path, beside: Beside) -> Converted:
    """The checkpoint. Errors: UserError as for ``read``, and where the backbone's weights cannot be had."""
    return as_checkpoint(read(file, beside), path, FORMAT)


def read(file: TensorFlowFile, beside: Beside) -> ForeignModel:
    """The model. Errors: UserError when a variable is missing or of another size, or the words are not those of it."""
    found = _Variables(file)
    table = found.array("embedding", None, None)
    ids, words = _words(beside.vocabulary, len(table), file.path)
    weights, config, feature_dim = _decoder(found, table.shape[1])
    weights |= {"words.embedding.weight": table[ids], "output.bias": found.array("b_loss", len(table))[ids]}
    backbone, image = _backbone(feature_dim, beside.weights, file.path)
    return ForeignModel(
        name="mrnn_tf" if "multimodal_dim" in config else "mrnn_init",
        config=model_config.image_captioner(backbone, config),
        words=words,
        weights={f"decoder.{name}": array for name, array in weights.items()} | image,
        data_name="coco",
        max_length=MAX_LENGTH,
        facts={"TensorFlow's format": f"version {file.version}", "words": _name(beside.vocabulary)},
        figures={},
    )


def _name(path: Path | None) -> str:
    return path.name if path else ""


def _words(path: Path | None, rows: int, model: Path) -> tuple[list[int], list[str]]:
    """The rows of END and of the words, in our order, and the words."""
    if path is None:
        raise UserError(
            f"{model} holds no words: give the file that was published with it, vocabulary=PATH (mscoco_mc3_vocab)"
        )
    lines = read_words(path)
    if len(lines) != rows or START not in lines:
        without = "" if START in lines else f" without {START}"
        raise UserError(
            f"{path} holds {len(lines):,} words{without}, but {model} was trained on {rows:,}: give the file of words "
            "that belongs to it"
        )
    kept = [index for index, word in enumerate(lines) if word not in (PADDING, START)]
    words = [UNKNOWN if lines[index] == FOREIGN_UNKNOWN else lines[index] for index in kept]
    return [lines.index(START), *kept], words


class _Variables:
    """The variables of a file by the ends of their names."""

    def __init__(self, file: TensorFlowFile) -> None:
        self.file = file

    def array(self, end: str, *shape: int | None) -> np.ndarray:
        """The variable of that name below its scope; None is any size. Errors: UserError."""
        names = [name for name in self.file.variables if name == end or name.endswith(f"/{end}")]
        if len(names) != 1:
            raise self.error(f"there should be one variable {end}, but there are {len(names)}")
        return self._checked(names[0], shape)

    def cell(self, index: int, part: str, *shape: int | None) -> np.ndarray:
        """A variable of the cell of a layer, counted from 0; ``part`` is a pattern for the end of its name."""
        pattern = re.compile(rf"(?:.*/)?cell_?{index}/.*{part}", re.IGNORECASE)
        names = [name for name in self.file.variables if pattern.fullmatch(name)]
        if len(names) != 1:
            raise self.error(f"cell {index} should have one variable like {part}, but it has {len(names)}")
        return self._checked(names[0], shape)

    @property
    def layers(self) -> int:
        """How many cells there are."""
        found = {
            int(match[1]) for name in self.file.variables if (match := re.search(r"/cell_?(\d+)/", f"/{name.lower()}"))
        }
        if found != set(range(len(found))) or not found:
            raise self.error(f"its cells should be numbered from 0, but there are {sorted(found)[:5]}")
        return len(found)

    @property
    def is_gru(self) -> bool:
        return any("gates/" in name.lower() for name in self.file.variables)

    def _checked(self, name: str, shape: tuple[int | None, ...]) -> np.ndarray:
        found = self.file.variables[name].shape
        if len(found) != len(shape) or any(want not in (None, size) for want, size in zip(shape, found)):
            sizes = " x ".join("any" if size is None else str(size) for size in shape)
            raise self.error(f"{name} should be {sizes}, but it is {' x '.join(map(str, found))}")
        return self.file.variables[name].array()

    def error(self, what: str) -> UserError:
        known = ", ".join(list(self.file.variables)[:12])
        return UserError(f"{self.file.path} is not as expected: {what}; its variables are {known}")


def _decoder(found: _Variables, width: int) -> tuple[Weights, dict[str, Any], int]:
    """All but the rows of words; the decoder's configuration, and the width of the image's vector."""
    count, cell = found.layers, "gru" if found.is_gru else "lstm"
    weights: Weights = {}
    hidden, below = 0, width
    for index in range(count):
        own = _gru(found, index, below) if cell == "gru" else _lstm(found, index, below)
        weights |= {f"cells.{index}.{name}": array for name, array in own.items()}
        hidden = below = own["weight_hh"].shape[1]
    sizes = {"embedding_dim": width, "hidden_dim": hidden, "cell": cell, "num_layers": count, "share_embedding": True}
    if any(name.endswith("w_vf2state") for name in found.file.variables):
        image, config = _initial(found, hidden, count, cell), model_config.decoder(InitDecoder, **sizes)
        last, feature_dim = hidden, image["image_encoder.0.weight"].shape[1]
    else:
        image, last = _multimodal(found, hidden)
        feature_dim = image["image_to_multimodal.weight"].shape[1]
        form = {"second_embedding": False, "word_input": "none", "activation": "relu", "activate": "branches"}
        config = model_config.decoder(MRNNDecoder, **sizes, **form, multimodal_dim=last)
    weights |= image | _layer("output.to_word", found.array("w_m2w", last, width), found.array("b_m2w", width))
    return weights, config, feature_dim


def _layer(name: str, matrix: np.ndarray, bias: np.ndarray) -> Weights:
    """A layer as TensorFlow keeps it, input width first."""
    return {f"{name}.weight": matrix.T, f"{name}.bias": bias}


def _multimodal(found: _Variables, hidden: int) -> tuple[Weights, int]:
    text = found.array("w_r2m", hidden, None)
    width = text.shape[1]
    image = found.array("w_vf2m", None, width)
    return (
        _layer("memory_to_multimodal", text, found.array("b_r2m", width))
        | _layer("image_to_multimodal", image, found.array("b_vf2m", width)),
        width,
    )


def _initial(found: _Variables, hidden: int, layers: int, cell: str) -> Weights:
    """The first memory from the image. TensorFlow's state is, layer by layer, that of the cell and then its output;
    ours all outputs, and then the cells."""
    memories = 1 if cell == "gru" else 2
    matrix = found.array("w_vf2state", None, memories * layers * hidden)
    order = np.arange(matrix.shape[1]).reshape(layers, memories, hidden)[:, ::-1].transpose(1, 0, 2).reshape(-1)
    return _layer("image_encoder.0", matrix[:, order], found.array("b_vf2state", len(order))[order])


def _gru(found: _Variables, index: int, width: int) -> Weights:
    """Reset and update gate, candidate; a matrix reads the input and then the memory."""
    end = r"(?:matrix|weights?|kernel)"
    candidate = found.cell(index, rf"candidate/(?:.*/)?{end}", None, None)
    hidden = candidate.shape[1]
    shape = (width + hidden, 2 * hidden)
    rows = np.concatenate((found.cell(index, rf"gates/(?:.*/)?{end}", *shape).T, candidate.T))
    if rows.shape[1] != width + hidden:
        raise found.error(f"the candidate of cell {index} should read {width + hidden} numbers")
    biases = (
        found.cell(index, r"gates/(?:.*/)?bias(?:es)?", 2 * hidden),
        found.cell(index, r"candidate/(?:.*/)?bias(?:es)?", hidden),
    )
    return {"weight_ih": rows[:, :width], "weight_hh": rows[:, width:], "bias": np.concatenate(biases)}


def _lstm(found: _Variables, index: int, width: int) -> Weights:
    """Four gates and peepholes of three."""
    peepholes = np.stack([found.cell(index, rf"w_{gate}_diag", None) for gate in "ifo"])
    hidden = peepholes.shape[1]
    matrix = found.cell(index, r"(?:w_0|kernel|weights?)", width + hidden, 4 * hidden)
    bias = found.cell(index, r"(?:b|bias|biases)", 4 * hidden).reshape(4, hidden)[list(LSTM_GATES)]
    rows = matrix.T.reshape(4, hidden, width + hidden)[list(LSTM_GATES)].reshape(4 * hidden, width + hidden)
    bias[1] += FORGET_BIAS
    own = {"weight_ih": rows[:, :width], "weight_hh": rows[:, width:]}
    return own | {"bias": bias.reshape(-1), "peepholes": peepholes}


def _backbone(feature_dim: int, weights: str | None, path: Path) -> tuple[dict[str, Any], Weights]:
    """The configuration of a backbone that gives such vectors, and its tensors, which the file has not.

    Caffe's VGG-16 reads other pixels than torchvision's. Errors: UserError for another width.
    """
    given = weights or IMAGENET
    if feature_dim == 2048:
        node = model_config.backbone(InceptionV3, classifier=True)
    elif feature_dim == 4096:
        pixels = "imagenet" if given == IMAGENET else "caffe_bgr"
        node = model_config.backbone(VGG16, classifier=True, normalization=pixels)
    else:
        raise UserError(
            f"{path} reads vectors of {feature_dim:,} numbers of an image, which no backbone of the release gives: "
            "2048 are Inception-v3's and 4096 VGG-16's"
        )
    state = build(node | {"weights": given}).state_dict()
    return node, {f"backbone.{name}": value.numpy() for name, value in state.items()}
