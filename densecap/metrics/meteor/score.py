"""METEOR 1.5's score from its 23 statistics (see statistics), with the parameters for ranking in English."""

from __future__ import annotations

import math

import numpy as np

from densecap.metrics.meteor.statistics import CANDIDATE_MATCHED, CHUNKS, COLUMNS, REFERENCE_MATCHED

_ALPHA, _BETA, _GAMMA, _DELTA = 0.85, 0.2, 0.6, 0.75
_MODULE_WEIGHTS = (1.0, 0.6, 0.8, 0.6)


def scores(statistics: np.ndarray) -> np.ndarray:
    """Scores (...,) float64 of statistics (..., 23); 0 where nothing matches or a side is empty.

    The order of the operations is the Java scorer's, to the last bit, because equal scores decide between references.
    """
    rows = np.asarray(statistics, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = _weighted(rows, 0) / _length(rows, 0)
        recall = _weighted(rows, 1) / _length(rows, 1)
        mean = 1.0 / ((1.0 - _ALPHA) / precision + _ALPHA / recall)
        matched = (rows[..., CANDIDATE_MATCHED] + rows[..., REFERENCE_MATCHED]) / 2
        fragmentation = np.where(_is_perfect(rows), 0.0, rows[..., CHUNKS] / matched)
        value = mean * (1.0 - _GAMMA * _power(fragmentation))
    return np.nan_to_num(value, nan=0.0)


def corpus_statistics(statistics: np.ndarray) -> np.ndarray:
    """The sum (23,) of segments' statistics (n, 23), leaving out the chunk of segments that match in one piece."""
    rows = np.array(statistics, dtype=np.float64).reshape(-1, COLUMNS)
    rows[_is_perfect(rows), CHUNKS] = 0.0
    return rows.sum(axis=0)


def corpus_score(statistics: np.ndarray) -> float:
    """The score of a corpus from the statistics (n, 23) of every segment's best reference."""
    return float(scores(corpus_statistics(statistics)))


def _weighted(rows: np.ndarray, side: int) -> np.ndarray:
    """Matched words, weighted by module and by content against function; ``side`` 0 candidate, 1 reference."""
    total = np.zeros(rows.shape[:-1])
    for kind, share in ((0, _DELTA), (2, 1.0 - _DELTA)):
        for module, weight in enumerate(_MODULE_WEIGHTS):
            total = total + rows[..., 4 + 4 * module + kind + side] * weight * share
    return total


def _power(fragmentation: np.ndarray) -> np.ndarray:
    """Each value (...) to the power beta; numpy's own power differs in the last bit."""
    values, place = np.unique(fragmentation, return_inverse=True)
    return np.array([math.pow(value, _BETA) for value in values])[place].reshape(fragmentation.shape)


def _length(rows: np.ndarray, side: int) -> np.ndarray:
    """Words of one side, content words at one weight and function words at another."""
    function = rows[..., 2 + side]
    return _DELTA * (rows[..., side] - function) + (1.0 - _DELTA) * function


def _is_perfect(rows: np.ndarray) -> np.ndarray:
    """Whether all words of both sides match in one chunk."""
    return (
        (rows[..., CHUNKS] == 1)
        & (rows[..., CANDIDATE_MATCHED] == rows[..., 0])
        & (rows[..., REFERENCE_MATCHED] == rows[..., 1])
    )
