"""What a generated caption is worth while training: CIDEr-D with the frequencies of the training captions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from densecap.data.hdf5 import RegionFile
from densecap.metrics.cider import DocumentFrequencies, cider, document_frequencies
from densecap.text.vocabulary import END

#: How END is written among the ids of words: a caption that breaks off then shares less with its references.
STOP = "end"


def spelled(tokens: np.ndarray | Tensor, ended: bool = True) -> list[str]:
    """Captions (N, T) padded with 0 as the ids of their words between blanks, END included.

    Not ``ended``: a row that is full to its last place was cut off and has none.
    """
    found = []
    for row in tokens.tolist():
        words = row[: row.index(END)] if END in row else row
        found.append(" ".join([*map(str, words), *([STOP] if ended or len(words) < len(row) else [])]))
    return found


def training_frequencies(source: RegionFile) -> DocumentFrequencies:
    """In how many training images of the file an n-gram of ids stands in a caption."""
    rows = [row for row in source.indices("train").tolist() if source.region_counts[row]]
    return document_frequencies([spelled(source.regions(row)[1]) for row in rows])


class CiderReward:
    """CIDEr-D (0 to 10) of captions against the references of their images, all as ``spelled``."""

    def __init__(self, frequencies: DocumentFrequencies) -> None:
        self.frequencies = frequencies

    def __call__(self, captions: Sequence[str], references: Sequence[Sequence[str]]) -> Tensor:
        """N captions, and references for each -> (N,)."""
        return torch.from_numpy(cider(captions, references, self.frequencies).images).float()


def advantages(rewards: Tensor) -> Tensor:
    """(N, K) rewards of K captions drawn for each image -> what each is above the mean of the K - 1 others."""
    others = (rewards.sum(dim=1, keepdim=True) - rewards) / (rewards.shape[1] - 1)
    return rewards - others
