"""Layouts that the Torch7 captioners share: the order of an LSTM's gates, and the ids of tokens."""

from __future__ import annotations

import numpy as np

#: Gates as torch-rnn and neuraltalk2 stack them: input, forget, output, cell; ours are input, forget, cell, output.
GATES = (0, 1, 3, 2)


def gates_reordered(rows: np.ndarray, hidden_dim: int) -> np.ndarray:
    """(4 H, ...) rows of the gates i, f, o, g -> i, f, g, o."""
    blocks = rows.reshape(4, hidden_dim, *rows.shape[1:])
    return blocks[list(GATES)].reshape(rows.shape)


def embedding_rows(table: np.ndarray, num_words: int, padding: int) -> np.ndarray:
    """Rows of the words 1..V, of START and others, from 0 -> ours: padding, the words, START.

    ``padding`` is the row that stands for it; where nothing does, that of START serves, for it is never looked at.
    """
    start = num_words
    return np.concatenate((table[padding][None], table[:num_words], table[start][None]))


def output_rows(rows: np.ndarray, num_words: int) -> np.ndarray:
    """Rows of the words 1..V and END -> ours: END, the words."""
    return np.concatenate((rows[num_words][None], rows[:num_words]))
