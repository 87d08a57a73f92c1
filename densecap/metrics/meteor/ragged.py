"""Arrays of rows with differing lengths, as flat numpy arrays."""

from __future__ import annotations

import numpy as np


def spread(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The row and the place within its row of every item, for rows of ``counts`` (n,) items: int64, int64 (sum,)."""
    rows = np.repeat(np.arange(len(counts)), counts)
    return rows, np.arange(len(rows)) - (np.cumsum(counts) - counts)[rows]


def equal_pairs(keys: np.ndarray, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every ordered pair (a, b) of entries of ``items`` (n,) whose ``keys`` (n,) agree, each with itself included."""
    order = np.argsort(keys, kind="stable")
    _, group, counts = np.unique(keys[order], return_inverse=True, return_counts=True)
    rows, within = spread(counts[group])
    first = (np.cumsum(counts) - counts)[group]
    return items[order[rows]], items[order[first[rows] + within]]
