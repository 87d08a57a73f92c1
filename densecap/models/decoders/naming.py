"""How well features alone, before any word, name the words of a caption."""

from __future__ import annotations

import torch
from torch import Tensor

from densecap.text.vocabulary import END


def naming_loss(scores: Tensor, tokens: Tensor) -> Tensor:
    """Cross-entropy (N,) between a caption's distinct words (N, T), each equally likely, and scores (N, V + 1).

    An empty caption costs 0. After the word detectors of Fang et al., From Captions to Visual Concepts and Back (CVPR
    2015).
    """
    scores = scores.float()
    present = torch.zeros_like(scores).scatter(1, tokens, 1.0)  # (N, V + 1)
    present[:, END] = 0
    share = present / present.sum(dim=1, keepdim=True).clamp(min=1)
    return -(scores.log_softmax(dim=1) * share).sum(dim=1)
