"""Captions of different lengths in one matrix."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from densecap.text.vocabulary import END


def token_matrix(rows: Sequence[Sequence[int]]) -> Tensor:
    """Word ids of N captions -> (N, T) int64, padded with END to the longest; (0, 0) for none."""
    tokens = torch.full((len(rows), max(map(len, rows), default=0)), END, dtype=torch.int64)
    for place, row in zip(tokens, rows):
        place[: len(row)] = torch.tensor(row, dtype=torch.int64)
    return tokens
