"""DenseCap's checkpoint in the object structure that train.lua saves, of random weights and any widths but VGG-16's."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tests.fakes.torch7 import Lua, Obj, Pairs, Pool, View, save, tensor

WIDTHS = (64, 64, None, 128, 128, None, 256, 256, 256, None, 512, 512, 512, None, 512, 512, 512)
ANCHORS = [(45, 90), (90, 45), (64, 64), (90, 180), (180, 90), (128, 128)]
ANCHORS += [(181, 362), (362, 181), (256, 256), (362, 724), (724, 362), (512, 512)]


@dataclass(frozen=True)
class Sizes:
    """Widths that the converter reads from the tensors."""

    words: int = 9
    proposals: int = 12
    hidden: int = 20
    embedding: int = 7
    memory: int = 11
    layers: int = 1
    length: int = 6


def random_weights(sizes: Sizes, seed: int = 0) -> dict[str, np.ndarray]:
    """float32 arrays by name, in the layout of the Lua code, scaled so that boxes, scores and words vary."""
    random = np.random.default_rng(seed)

    def normal(*shape: int, gain: float = 1.0) -> np.ndarray:
        return random.standard_normal(shape, np.float32) * np.float32(gain / np.sqrt(np.prod(shape[1:])))

    def balanced(*shape: int, gain: float) -> np.ndarray:
        """Rows of sum 0, which see differences and not what all regions share."""
        made = normal(*shape, gain=gain)
        return made - made.mean(axis=1, keepdims=True)

    made: dict[str, np.ndarray] = {}
    channels, convolutions = 3, 0
    for width in WIDTHS:
        if width is not None:
            gain = 1.42 if convolutions else 0.02  # pixels are large
            made[f"conv{convolutions}.weight"] = normal(width, channels, 3, 3, gain=gain)
            made[f"conv{convolutions}.bias"] = normal(width, gain=0.1)
            channels, convolutions = width, convolutions + 1
    made |= _layer("rpn", normal(sizes.proposals, 512, 3, 3), normal(sizes.proposals))
    made |= _layer("rpn_box", normal(48, sizes.proposals, 1, 1, gain=0.3), normal(48, gain=0.2))
    made |= _layer("rpn_score", normal(24, sizes.proposals, 1, 1), normal(24))
    made |= _layer("fc6", balanced(sizes.hidden, 512 * 49, gain=3), normal(sizes.hidden))
    made |= _layer("fc7", balanced(sizes.hidden, sizes.hidden, gain=2), normal(sizes.hidden))
    made |= _layer("objectness", balanced(1, sizes.hidden, gain=1), normal(1))
    made |= _layer("box", balanced(4, sizes.hidden, gain=0.2), normal(4, gain=0.1))
    made |= _layer("encoder", balanced(sizes.embedding, sizes.hidden, gain=6), normal(sizes.embedding))
    made["lookup.weight"] = normal(sizes.words + 2, sizes.embedding, gain=3)
    for layer in range(sizes.layers):
        rows = (sizes.memory if layer else sizes.embedding) + sizes.memory
        made |= _layer(f"lstm{layer}", normal(rows, 4 * sizes.memory, gain=4), normal(4 * sizes.memory))
    return made | _layer("output", normal(sizes.words + 1, sizes.memory, gain=5), normal(sizes.words + 1))


def _layer(name: str, weight: np.ndarray, bias: np.ndarray) -> dict[str, np.ndarray]:
    return {f"{name}.weight": weight, f"{name}.bias": bias}


class Tree:
    """The objects; ``library`` is nn, cudnn, or mm for SpatialConvolutionMM, whose filters are rows."""

    def __init__(self, weights: dict[str, np.ndarray], sizes: Sizes, library: str = "nn", cuda: bool = False) -> None:
        self.weights, self.sizes, self.library = weights, sizes, library
        self.kind = "Cuda" if cuda else None
        self.parameters, self.gradients = Pool(self.kind), Pool(self.kind)
        self.words = {index: f"word{index}" for index in range(1, sizes.words)} | {sizes.words: "<UNK>"}

    def module(self, class_name: str, /, **fields: Any) -> Obj:
        """Any module has these leftovers, of which none is a weight."""
        empty = View(None, ())
        return Obj(
            class_name, {"train": False, "_type": "torch.FloatTensor", "output": empty, "gradInput": empty, **fields}
        )

    def weighted(self, class_name: str, key: str, /, **fields: Any) -> Obj:
        weight, bias = self.weights[f"{key}.weight"], self.weights.get(f"{key}.bias")
        if self.library == "mm" and class_name.endswith("SpatialConvolution"):
            class_name, weight = f"{class_name}MM", weight.reshape(len(weight), -1)
        fields |= {"weight": self.parameters.add(weight), "gradWeight": self.gradients.zeros(weight.shape)}
        if bias is not None:
            fields |= {"bias": self.parameters.add(bias), "gradBias": self.gradients.zeros(bias.shape)}
        return self.module(class_name, **fields)

    def container(self, class_name: str, modules: list[Obj], /, **fields: Any) -> Obj:
        return self.module(class_name, modules=modules, **fields)

    def convolution(self, key: str, kernel: int, /, **fields: Any) -> Obj:
        library = "cudnn" if self.library == "cudnn" else "nn"
        pad = kernel // 2
        return self.weighted(f"{library}.SpatialConvolution", key, kW=kernel, kH=kernel, padW=pad, padH=pad, **fields)

    def plain(self, class_name: str, /, **fields: Any) -> Obj:
        return self.module(f"{'cudnn' if self.library == 'cudnn' else 'nn'}.{class_name}", **fields)

    def trunk(self) -> tuple[Obj, Obj]:
        layers: list[Obj] = []
        count = 0
        for width in WIDTHS:
            if width is None:
                layers.append(self.plain("SpatialMaxPooling", kW=2, kH=2, dW=2, dH=2, ceil_mode=True))
            else:
                layers += [self.convolution(f"conv{count}", 3, name=f"conv_{count}"), self.plain("ReLU", inplace=True)]
                count += 1
        return self.container("nn.Sequential", layers[:10]), self.container("nn.Sequential", layers[10:])

    def proposals(self) -> Obj:
        reshape = self.module("nn.ReshapeBoxFeatures", k=12)
        anchors = tensor(np.array(ANCHORS, np.float32).T, self.kind)
        maker = self.module("nn.MakeAnchors", x0=8.5, y0=8.5, sx=16, sy=16, anchors=anchors)
        grids = self.container("nn.ConcatTable", [self.container("nn.Sequential", [maker, reshape]), reshape])
        boxes = self.container("nn.ConcatTable", [self.module("nn.ApplyBoxTransform"), self.module("nn.Identity")])
        regularizer = self.module("nn.RegularizeLayer", w=5e-5)
        box = self.container("nn.Sequential", [self.convolution("rpn_box", 1), regularizer, grids, boxes])
        score = self.container("nn.Sequential", [self.convolution("rpn_score", 1), reshape])
        branches = self.container("nn.ConcatTable", [box, score])
        layers = [self.convolution("rpn", 3), self.plain("ReLU"), branches, self.module("nn.FlattenTable")]
        return self.container("nn.Sequential", layers)

    def language(self) -> Obj:
        encoder = self.container(
            "nn.Sequential", [self.weighted("nn.Linear", "encoder"), self.plain("ReLU"), self.module("nn.View")]
        )
        cells = [self.weighted("nn.LSTM", f"lstm{layer}", remember_states=False) for layer in range(self.sizes.layers)]
        view = self.module("nn.View")
        output = self.weighted("nn.Linear", "output")
        rnn = self.container("nn.Sequential", [*cells, view, output, view])
        lookup = self.weighted("nn.LookupTable", "lookup")
        net = self.container("nn.Sequential", [self.container("nn.ParallelTable", [encoder, lookup]), rnn])
        tokens = {"START_TOKEN": self.sizes.words + 1, "END_TOKEN": self.sizes.words + 1}
        return self.module(
            "nn.LanguageModel",
            image_encoder=encoder,
            lookup_table=lookup,
            rnn=rnn,
            net=net,
            vocab_size=self.sizes.words,
            seq_length=self.sizes.length,
            idx_to_token=self.words,
            NULL_TOKEN=self.sizes.words + 2,
            sample_argmax=True,
            **tokens,
        )

    def graph(self, modules: list[Obj]) -> Obj:
        """An nngraph module: nodes that know their children, tables as keys of their maps, and edges both ways."""
        nodes = [
            Obj("nngraph.Node", {"data": {"module": module, "annotations": {"name": f"node{index}"}}, "id": index})
            for index, module in enumerate(modules)
        ]
        edges = []
        for before, after in zip(nodes, nodes[1:]):
            before.content["children"] = Pairs([(1, after), (after, 1)])
            mapindex = Pairs([(1, before.content["data"]), (before.content["data"], 1)])
            after.content["data"]["mapindex"] = mapindex
            edges.append(Obj("graph.Edge", {"from": before, "to": after}))
        graph = Obj("graph.Graph", {"nodes": nodes, "edges": edges})
        ends = {"innode": nodes[0], "outnode": nodes[-1], "fg": graph, "bg": graph}
        return self.container(
            "nn.gModule", modules, forwardnodes=nodes, backwardnodes=nodes[::-1], name="recognition_network", **ends
        )

    def checkpoint(self) -> dict[str, Any]:
        """What train.lua saves."""
        first, second = self.trunk()
        fully = [self.weighted("nn.Linear", "fc6"), self.plain("ReLU"), self.module("nn.Dropout", p=0.5)]
        fully += [self.weighted("nn.Linear", "fc7"), self.plain("ReLU"), self.module("nn.Dropout", p=0.5)]
        base = self.container("nn.Sequential", [self.module("nn.View"), *fully])
        opt: dict[str, Any] = {"idx_to_token": self.words, "seq_length": self.sizes.length, "std": 0.01}
        opt["field_centers"] = [8.5, 8.5, 16, 16]
        localization = self.module(
            "nn.LocalizationLayer",
            nets={"rpn": self.proposals(), "roi_pooling": self.module("nn.BilinearRoiPooling", height=7, width=7)},
            opt=opt,
            test_nms_thresh=0.7,
            image_width=720,
        )
        nets = {"conv_net1": first, "conv_net2": second, "localization_layer": localization, "recog_base": base}
        nets |= {"objectness_branch": self.weighted("nn.Linear", "objectness")}
        nets |= {"box_reg_branch": self.weighted("nn.Linear", "box"), "language_model": self.language()}
        parts = [base, nets["objectness_branch"], nets["box_reg_branch"], nets["language_model"]]
        nets["recog_net"] = self.graph(parts)
        net = self.container("nn.Sequential", [first, second, localization, nets["recog_net"]])
        model = Obj("DenseCapModel", {"opt": opt, "nets": nets, "net": net, "train": False, "finetune_cnn": False})
        model.content["crits"] = {"box_reg_crit": self.module("nn.BoxRegressionCriterion", w=0.1)}
        model.content["hook"] = Lua(b"\x1bLJ code that nobody runs", [{"name": "model", "value": model}])
        history = {0: {"captioning_loss": 27.88, "total_loss": 28.01}, 10: {"captioning_loss": 22.2}}
        results = {10000: {"ap_results": {"map": 0.05}}, 20000: {"ap_results": {"map": 0.0570}}}
        self.parameters.close()
        return {"opt": opt, "iter": 20000, "loss_history": history, "results_history": results, "model": model}


def save_densecap_t7(
    path: Path,
    sizes: Sizes | None = None,
    library: str = "nn",
    cuda: bool = False,
    long_size: int = 8,
    weights: dict[str, np.ndarray] | None = None,
) -> dict[str, np.ndarray]:
    """Write a checkpoint; returns its weights in the layout of the Lua code."""
    sizes = sizes or Sizes()
    weights = weights or random_weights(sizes)
    save(path, Tree(weights, sizes, library, cuda).checkpoint(), long_size)
    return weights


@cache
def _shapes(sizes: Sizes) -> dict[str, tuple[int, ...]]:
    return {name: value.shape for name, value in random_weights(sizes).items()}


def sparse_checkpoint() -> tuple[dict[str, Any], dict[str, Any]]:
    """A checkpoint and its nets, of zeros that take no room on the disk."""
    sizes = Sizes()
    tree = Tree({name: np.broadcast_to(np.float32(0), shape) for name, shape in _shapes(sizes).items()}, sizes)
    tree.parameters.add = lambda array: tree.parameters.zeros(array.shape)  # type: ignore[method-assign]
    made = tree.checkpoint()
    return made, made["model"].content["nets"]
