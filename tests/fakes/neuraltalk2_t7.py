"""NeuralTalk2's checkpoint in the object structure that its train.lua saves, of zeros but for what is looked at.

``caption`` is its language model in plain NumPy.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.fakes.densecap_t7 import WIDTHS
from tests.fakes.torch7 import Obj, Pool, save

WORDS = ["a", "UNK", "dog", "on", "grass"]
EMBEDDING, MEMORY, LENGTH = 6, 8, 5


def random_language(layers: int = 1, seed: int = 0) -> dict[str, np.ndarray]:
    """float32 arrays under the names of LSTM.lua's nodes."""
    random = np.random.default_rng(seed)

    def normal(*shape: int) -> np.ndarray:
        return random.standard_normal(shape, np.float32)

    made = {"encoder.weight": normal(EMBEDDING, 4096) / 32, "encoder.bias": normal(EMBEDDING)}
    made |= {"lookup.weight": normal(len(WORDS) + 1, EMBEDDING) * 2}
    for layer in range(1, layers + 1):
        width = EMBEDDING if layer == 1 else MEMORY
        made |= {f"i2h_{layer}.weight": 3 * normal(4 * MEMORY, width), f"i2h_{layer}.bias": normal(4 * MEMORY)}
        made |= {f"h2h_{layer}.weight": normal(4 * MEMORY, MEMORY), f"h2h_{layer}.bias": normal(4 * MEMORY)}
    made |= {"decoder.weight": normal(len(WORDS) + 1, MEMORY) * 4, "decoder.bias": normal(len(WORDS) + 1)}
    made["decoder.bias"][-1] -= 2  # so that not all captions end at once
    return made


def caption(weights: dict[str, np.ndarray], features: np.ndarray) -> list[str]:
    """LanguageModel.lua's sample(): the image, START = V + 1, then the best word of each step; END = V + 1."""
    layers = sum(name.startswith("h2h") and name.endswith("weight") for name in weights)
    h, c = [np.zeros(MEMORY)] * layers, [np.zeros(MEMORY)] * layers

    def linear(name: str, x: np.ndarray) -> np.ndarray:
        return weights[f"{name}.weight"].astype(np.float64) @ x + weights[f"{name}.bias"]

    def sigmoid(x: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-x))

    def step(x: np.ndarray) -> np.ndarray:
        for layer in range(layers):
            sums = linear(f"i2h_{layer + 1}", x) + linear(f"h2h_{layer + 1}", h[layer])
            n1, n2, n3, n4 = sums.reshape(4, MEMORY)
            c[layer] = sigmoid(n2) * c[layer] + sigmoid(n1) * np.tanh(n4)
            h[layer] = x = sigmoid(n3) * np.tanh(c[layer])
        return linear("decoder", x)

    said = []
    for row in features:
        h, c = [np.zeros(MEMORY)] * layers, [np.zeros(MEMORY)] * layers
        step(np.maximum(linear("encoder", row), 0))
        token, words = len(WORDS) + 1, []
        for _ in range(LENGTH):
            token = int(step(weights["lookup.weight"][token - 1]).argmax()) + 1
            if token == len(WORDS) + 1:
                break
            words.append(WORDS[token - 1].replace("UNK", "<UNK>"))
        said.append(" ".join(words))
    return said


def save_neuraltalk2_t7(
    path: Path, language: dict[str, np.ndarray], first: np.ndarray | None = None, library: str = "nn"
) -> None:
    """``first`` is conv1_1, which reads RGB; VGG-16's other layers are zeros that take no room on the disk."""
    zeros, numbers = Pool(), Pool()

    def linear(name: str) -> Obj:
        fields = {"weight": numbers.add(language[f"{name}.weight"])}
        if f"{name}.bias" in language:
            fields["bias"] = numbers.add(language[f"{name}.bias"])
        return Obj("nn.Linear", fields)

    layers: list[Obj] = []
    channels = 3
    for width in WIDTHS:
        if width is None:
            layers.append(Obj(f"{library}.SpatialMaxPooling"))
            continue
        weight = zeros.zeros((width, channels, 3, 3)) if channels > 3 or first is None else numbers.add(first)
        layers += [Obj(f"{library}.SpatialConvolution", {"weight": weight, "bias": zeros.zeros((width,))})]
        layers += [Obj(f"{library}.ReLU")]
        channels = width
    layers += [Obj(f"{library}.SpatialMaxPooling"), Obj("nn.View")]
    for width in (512 * 49, 4096):
        layers += [Obj("nn.Linear", {"weight": zeros.zeros((4096, width)), "bias": zeros.zeros((4096,))})]
        layers += [Obj(f"{library}.ReLU"), Obj("nn.Dropout", {"p": 0.5})]
    layers += [linear("encoder"), Obj(f"{library}.ReLU")]
    names = [name.removesuffix(".weight") for name in language if name.endswith(".weight")]
    nodes = [
        Obj("nngraph.Node", {"id": index, "data": {"annotations": {"name": name}, "module": linear(name)}})
        for index, name in enumerate(names)
        if name not in ("encoder", "lookup")
    ]
    nodes.append(Obj("nngraph.Node", {"id": 99, "data": {"annotations": {}, "module": Obj("nn.LogSoftMax")}}))
    nodes[0].content["children"] = nodes[1:]
    core = Obj("nn.gModule", {"forwardnodes": nodes, "backwardnodes": nodes[::-1], "innode": nodes[0]})
    lm = {"core": core, "lookup_table": linear("lookup"), "seq_length": LENGTH, "vocab_size": len(WORDS)}
    cnn = Obj("nn.Sequential", {"modules": layers})
    checkpoint: dict[str, Any] = {"protos": {"cnn": cnn, "lm": Obj("nn.LanguageModel", lm)}, "iter": 70000}
    checkpoint["vocab"] = {str(index): word for index, word in enumerate(WORDS, start=1)}
    checkpoint["val_lang_stats_history"] = {2500: {"CIDEr": 0.4}, 70000: {"CIDEr": 0.9, "Bleu_4": 0.3}}
    numbers.close()
    save(path, checkpoint)
