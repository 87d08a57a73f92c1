"""DenseCap at test time in plain NumPy, float64: the formulas of the Lua code at commit 7c32170, one after the other.

Boxes are (xc, yc, w, h) in pixels counted from 1, as there. Weights are named and laid out as in
``tests.fakes.densecap_t7``. Nothing of the package is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

Weights = Mapping[str, np.ndarray]


@dataclass
class Result:
    """Regions by decreasing logit; ``margin`` is how near to each other the closest alternatives were."""

    boxes: np.ndarray
    logits: np.ndarray
    tokens: np.ndarray
    proposals: int
    margin: float


def run(weights: Weights, image: np.ndarray, anchors: list[tuple[float, float]], words: int, length: int) -> Result:
    """(H, W, 3) uint8 RGB, already at its size."""
    height, width = image.shape[:2]
    x = image[:, :, ::-1].transpose(2, 0, 1) - np.array([103.939, 116.779, 123.68])[:, None, None]
    features = trunk(weights, x)
    boxes, scores = propose(weights, features, anchors)
    boxes, valid = clip(boxes, width, height)
    boxes, scores = boxes[valid], np.exp(scores[valid])
    probability = scores[:, 0] / (scores[:, 0] + scores[:, 1])
    kept, near = nms(boxes, probability, 0.7, 1000)
    boxes = boxes[kept]
    codes = pool(features, boxes, height, width).reshape(len(boxes), -1)
    for name in ("fc6", "fc7"):
        codes = np.maximum(linear(weights, name, codes), 0)
    logits = linear(weights, "objectness", codes)[:, 0]
    final = apply(boxes, linear(weights, "box", codes))
    tokens, closest = describe(weights, codes, words, length)
    chosen, near2 = nms(final, logits, 0.3, None)
    order = np.abs(np.diff(logits[chosen])).min(initial=np.inf)
    return Result(final[chosen], logits[chosen], tokens[chosen], len(boxes), min(near, near2, closest, order))


def linear(weights: Weights, name: str, x: np.ndarray) -> np.ndarray:
    return x @ weights[f"{name}.weight"].astype(np.float64).T + weights[f"{name}.bias"]


def convolution(weights: Weights, name: str, x: np.ndarray) -> np.ndarray:
    """(C, H, W), padded so that the size stays."""
    kernel = weights[f"{name}.weight"].astype(np.float64)
    pad, (height, width) = kernel.shape[2] // 2, x.shape[1:]
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    total = np.zeros((len(kernel), height * width))
    for row in range(kernel.shape[2]):
        for column in range(kernel.shape[3]):
            total += kernel[:, :, row, column] @ x[:, row : row + height, column : column + width].reshape(len(x), -1)
    return total.reshape(len(kernel), height, width) + weights[f"{name}.bias"][:, None, None]


def trunk(weights: Weights, x: np.ndarray) -> np.ndarray:
    """conv1_1 to relu5_3; poolings after the 2nd, 4th, 7th and 10th convolution round up."""
    for index in range(13):
        x = np.maximum(convolution(weights, f"conv{index}", x), 0)
        if index in (1, 3, 6, 9):
            channels, height, width = x.shape
            x = np.pad(x, ((0, 0), (0, height % 2), (0, width % 2)), constant_values=-np.inf)
            x = x.reshape(channels, (height + 1) // 2, 2, (width + 1) // 2, 2).max(axis=(2, 4))
    return x


def propose(weights: Weights, features: np.ndarray, anchors: list) -> tuple[np.ndarray, np.ndarray]:
    hidden = np.maximum(convolution(weights, "rpn", features), 0)
    height, width = features.shape[1:]
    grid = []
    for wide, high in anchors:
        for row in range(height):
            for column in range(width):
                grid.append((8.5 + 16 * column, 8.5 + 16 * row, wide, high))

    def flat(values: np.ndarray, count: int) -> np.ndarray:
        return values.reshape(len(anchors), count, height, width).transpose(0, 2, 3, 1).reshape(-1, count)

    transforms = flat(convolution(weights, "rpn_box", hidden), 4)
    return apply(np.array(grid), transforms), flat(convolution(weights, "rpn_score", hidden), 2)


def apply(boxes: np.ndarray, transforms: np.ndarray) -> np.ndarray:
    x, y, w, h = boxes.T
    tx, ty, tw, th = transforms.T
    return np.stack([tx * w + x, ty * h + y, w * np.exp(tw), h * np.exp(th)], axis=1)


def corners(boxes: np.ndarray) -> np.ndarray:
    x, y, w, h = boxes.T
    return np.stack([x - (w - 1) / 2, y - (h - 1) / 2, x + (w - 1) / 2, y + (h - 1) / 2], axis=1)


def clip(boxes: np.ndarray, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    x1, y1, x2, y2 = corners(boxes).T
    x1, y1 = np.clip(x1, 1, width - 1), np.clip(y1, 1, height - 1)
    x2, y2 = np.clip(x2, 2, width), np.clip(y2, 2, height)
    return np.stack([(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1], axis=1), (x2 > x1) & (y2 > y1)


def nms(boxes: np.ndarray, scores: np.ndarray, threshold: float, most: int | None) -> tuple[list[int], float]:
    """Picks by decreasing score, and how narrowly one was decided: overlaps near the threshold, scores near equal."""
    x1, y1, x2, y2 = corners(boxes).T
    area = (x2 - x1 + 1) * (y2 - y1 + 1)
    left = list(np.argsort(-scores, kind="stable"))
    picked: list[int] = []
    nearest = np.inf
    while left and (most is None or len(picked) < most):
        best, rest = left[0], np.array(left[1:], int)
        picked.append(int(best))
        wide = np.maximum(0, np.minimum(x2[best], x2[rest]) - np.maximum(x1[best], x1[rest]) + 1)
        high = np.maximum(0, np.minimum(y2[best], y2[rest]) - np.maximum(y1[best], y1[rest]) + 1)
        overlap = wide * high / (area[best] + area[rest] - wide * high)
        nearest = min(nearest, np.abs(overlap - threshold).min(initial=np.inf))
        nearest = min(nearest, (scores[best] - scores[rest[overlap > threshold]]).min(initial=np.inf))
        left = list(rest[overlap <= threshold])
    return picked, float(nearest)


def pool(features: np.ndarray, boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """7 x 7 bilinear samples of each box; a tap outside the map is 0."""
    rows, columns = features.shape[1:]
    base = np.array([-1 + 2 * k / 6 for k in range(7)])
    out = np.zeros((len(boxes), len(features), 7, 7))
    for index, (x, y, w, h) in enumerate(boxes):
        ys = (h / height * base + (2 * y - height - 1) / (height - 1) + 1) * (rows - 1) / 2
        xs = (w / width * base + (2 * x - width - 1) / (width - 1) + 1) * (columns - 1) / 2
        for i, at_row in enumerate(ys):
            for j, at_column in enumerate(xs):
                for row in (int(np.floor(at_row)), int(np.floor(at_row)) + 1):
                    for column in (int(np.floor(at_column)), int(np.floor(at_column)) + 1):
                        if 0 <= row < rows and 0 <= column < columns:
                            share = (1 - abs(at_row - row)) * (1 - abs(at_column - column))
                            out[index, :, i, j] += share * features[:, row, column]
    return out


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def describe(weights: Weights, codes: np.ndarray, words: int, length: int) -> tuple[np.ndarray, float]:
    """Tokens (N, length) as Lua counts them: words 1..V, END = START = V + 1; and the smallest lead of a best word."""
    layers = sum(name.startswith("lstm") and name.endswith("weight") for name in weights)
    state = [(np.zeros((len(codes), 1)), np.zeros((len(codes), 1))) for _ in range(layers)]

    def step(x: np.ndarray) -> np.ndarray:
        for layer in range(layers):
            weight = weights[f"lstm{layer}.weight"].astype(np.float64)
            size = weight.shape[1] // 4
            h, c = (np.broadcast_to(part, (len(x), size)) for part in state[layer])
            a = x @ weight[: len(weight) - size] + h @ weight[len(weight) - size :] + weights[f"lstm{layer}.bias"]
            i, f, o = (sigmoid(a[:, k * size : (k + 1) * size]) for k in range(3))
            c = f * c + i * np.tanh(a[:, 3 * size :])
            state[layer] = (o * np.tanh(c), c)
            x = state[layer][0]
        return linear(weights, "output", x)

    step(np.maximum(linear(weights, "encoder", codes), 0))
    words_now = np.full(len(codes), words + 1)
    said, lead = [], np.inf
    ended = np.zeros(len(codes), bool)
    for _ in range(length):
        scores = step(weights["lookup.weight"].astype(np.float64)[words_now - 1])
        words_now = scores.argmax(axis=1) + 1
        best = np.sort(scores[~ended], axis=1)
        lead = min(lead, (best[:, -1] - best[:, -2]).min(initial=np.inf))
        said.append(words_now)
        ended |= words_now == words + 1
    return np.stack(said, axis=1), float(lead)
