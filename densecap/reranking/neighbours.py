"""The training images that are nearest to an image."""

from __future__ import annotations

import torch
from torch import Tensor

#: Rows of distances that are computed at once.
ROWS = 512


def nearest(queries: Tensor, features: Tensor, count: int) -> Tensor:
    """Features (N, F) and (T, F) -> (N, min(count, T)), the ``count`` nearest of T by Euclidean distance.

    The nearest come first, of equally near ones the earlier.
    """
    features = features.double()
    squares = (features**2).sum(dim=1)
    found = [torch.zeros(0, min(count, len(features)), dtype=torch.int64)]
    for part in queries.double().split(ROWS):
        distances = squares - 2 * part @ features.t()  # less the query's own square
        found.append(distances.argsort(dim=1, stable=True)[:, :count].cpu())
    return torch.cat(found)
