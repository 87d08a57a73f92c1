"""A tiny m-RNN with the variables of TF-mRNN, and what its formulas give, in NumPy (py_lib/tf_mrnn_model.py)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

WORDS = ["<pad>", "<unk>", "<bos>", "a", "dog", "on", "grass", "runs"]

Variables = dict[str, np.ndarray]


HIDDEN = 5


def names(cell: str, layer: int, modern: bool = False) -> dict[str, str]:
    """The variables of a cell, as TensorFlow 0.8 and 1.2 call them."""
    scope = f"rnn/multi_rnn_cell/cell_{layer}" if modern else f"RNN/MultiRNNCell/Cell{layer}"
    if cell == "gru":
        scope += "/gru_cell" if modern else "/GRUCell"
        matrix, bias = ("kernel", "bias") if modern else ("Linear/Matrix", "Linear/Bias")
        gates, candidate = ("gates", "candidate") if modern else ("Gates", "Candidate")
        return {
            "gates_matrix": f"{scope}/{gates}/{matrix}",
            "gates_bias": f"{scope}/{gates}/{bias}",
            "candidate_matrix": f"{scope}/{candidate}/{matrix}",
            "candidate_bias": f"{scope}/{candidate}/{bias}",
        }
    scope += "/lstm_cell" if modern else "/LSTMCell"
    diagonal = "w_{}_diag" if modern else "W_{}_diag"
    peepholes = {f"peephole_{gate}": f"{scope}/{diagonal.format(gate if modern else gate.upper())}" for gate in "ifo"}
    matrix, bias = ("kernel", "bias") if modern else ("W_0", "B")
    return {"matrix": f"{scope}/{matrix}", "bias": f"{scope}/{bias}"} | peepholes


def random_variables(
    form: str = "mrnn", cell: str = "gru", layers: int = 1, modern: bool = False, features: int = 2048, seed: int = 0
) -> Variables:
    """Embedding 6, recurrence 5, multimodal 7; beside them the step size, which is no part of the model."""
    random = np.random.default_rng(seed)
    words, multimodal = 6, 7

    def draw(*shape: int, scale: float = 1.0) -> np.ndarray:
        return (scale * random.standard_normal(shape)).astype(np.float32)

    made = {"embedding": draw(len(WORDS), words, scale=2), "b_loss": draw(len(WORDS))}
    for layer in range(layers):
        below = HIDDEN if layer else words
        gates = {"gates": 2 * HIDDEN, "candidate": HIDDEN} if cell == "gru" else {"": 4 * HIDDEN}
        own = {f"{gate}_matrix".lstrip("_"): draw(below + HIDDEN, width) for gate, width in gates.items()}
        own |= {f"{gate}_bias".lstrip("_"): draw(width) for gate, width in gates.items()}
        own |= {f"peephole_{gate}": draw(HIDDEN) for gate in ("ifo" if cell == "lstm" else "")}
        called = names(cell, layer, modern)
        made |= {called[part]: array for part, array in own.items()}
    if form == "mrnn":
        made |= {"w_r2m": draw(HIDDEN, multimodal), "b_r2m": draw(multimodal)}
        made |= {"w_vf2m": draw(features, multimodal, scale=0.1), "b_vf2m": draw(multimodal)}
        made |= {"w_m2w": draw(multimodal, words), "b_m2w": draw(words)}
    else:
        state = HIDDEN * layers * (1 if cell == "gru" else 2)
        made |= {"w_vf2state": draw(features, state, scale=0.1), "b_vf2state": draw(state)}
        made |= {"w_m2w": draw(HIDDEN, words), "b_m2w": draw(words)}
    step_size = {"Variable": np.full((), 0.5, np.float32)}
    return {f"mRNNmodel/{name}": array for name, array in made.items()} | step_size


def save_words(path: Path) -> Path:
    path.write_text("".join(f"{word}\n" for word in WORDS), encoding="utf-8")
    return path


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def gru(part: Variables, below: np.ndarray, cell: np.ndarray, output: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    both = np.concatenate((below, output), axis=1)
    reset, update = np.split(sigmoid(both @ part["gates_matrix"] + part["gates_bias"]), 2, axis=1)
    both = np.concatenate((below, reset * output), axis=1)
    candidate = np.tanh(both @ part["candidate_matrix"] + part["candidate_bias"])
    return cell, update * output + (1 - update) * candidate


def lstm(part: Variables, below: np.ndarray, cell: np.ndarray, output: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """TensorFlow adds 1 to what the forget gate is given."""
    both = np.concatenate((below, output), axis=1) @ part["matrix"] + part["bias"]
    write, new, keep, read = np.split(both, 4, axis=1)
    kept = sigmoid(keep + 1 + part["peephole_f"] * cell) * cell
    cell = kept + sigmoid(write + part["peephole_i"] * cell) * np.tanh(new)
    return cell, sigmoid(read + part["peephole_o"] * cell) * np.tanh(cell)


def logits(
    variables: Variables, features: np.ndarray, tokens: list[int], form: str, cell: str, layers: int, modern: bool
) -> np.ndarray:
    """Scores (N, words) of what follows ``tokens``, ids of the release that begin with that of <bos>."""
    own = {name.removeprefix("mRNNmodel/"): np.asarray(value, np.float64) for name, value in variables.items()}
    blank = np.zeros((len(features), HIDDEN))
    state = [(blank, blank)] * layers
    if form == "init":
        first = np.maximum(features @ own["w_vf2state"] + own["b_vf2state"], 0)
        width = 1 if cell == "gru" else 2
        parts = np.split(first, layers * width, axis=1)
        state = [(blank, part) for part in parts] if width == 1 else list(zip(parts[::2], parts[1::2]))
    for token in tokens:
        below = np.repeat(own["embedding"][token][None], len(features), axis=0)
        for layer in range(layers):
            part = {name: own[called] for name, called in names(cell, layer, modern).items()}
            state[layer] = (gru if cell == "gru" else lstm)(part, below, *state[layer])
            below = state[layer][1]
    if form == "mrnn":
        below = np.maximum(below @ own["w_r2m"] + own["b_r2m"], 0)
        below = below + np.maximum(features @ own["w_vf2m"] + own["b_vf2m"], 0)
    said = np.maximum(below @ own["w_m2w"] + own["b_m2w"], 0)
    return said @ own["embedding"].T + own["b_loss"]
