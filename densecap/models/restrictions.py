"""What generated captions may not say: forbidden words, an early end, the same words in a row twice."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from densecap.models.beams import Beams
from densecap.text.vocabulary import END


@dataclass(frozen=True)
class Restrictions:
    """``forbidden`` word ids; END before ``min_length`` words; a run of ``no_repeat_ngram`` words that was said before.

    Where nothing else is left, a caption may end, be it too short.
    """

    forbidden: tuple[int, ...] = ()
    min_length: int = 0
    no_repeat_ngram: int | None = None

    def __bool__(self) -> bool:
        return bool(self.forbidden) or self.min_length > 0 or self.no_repeat_ngram is not None

    def __call__(self, scores: Tensor, beams: Beams) -> Tensor:
        """Scores (M, W, V + 1) of the next word of the beams -> the same with -inf for what may not be said."""
        fixed = list(self.forbidden) + ([END] if beams.steps < self.min_length else [])
        restricted = scores.clone() if fixed else scores
        for word in fixed:  # one by one: an index tensor would make the host wait for the device
            restricted[..., word] = -math.inf
        if self.no_repeat_ngram is not None:
            restricted = block_repetition(restricted, beams.tokens, self.no_repeat_ngram)
        if END in fixed:
            stuck = restricted.amax(dim=-1, keepdim=True) == -math.inf  # (M, W, 1)
            end = scores[..., END : END + 1].where(stuck, -math.inf)
            restricted = torch.cat((end, restricted[..., END + 1 :]), dim=-1)
        return restricted


def block_repetition(scores: Tensor, tokens: Tensor, size: int) -> Tensor:
    """Scores (M, W, V + 1) with -inf for words that would say ``size`` words in a row of ``tokens`` (M, W, t) again.

    END, which fills up what is finished, is no word.
    """
    length = tokens.shape[2]
    if length < size:
        return scores
    runs = tokens.unfold(2, size, 1)  # (M, W, t - size + 1, size)
    latest = tokens[:, :, None, length - size + 1 :]  # (M, W, 1, size - 1)
    begun = (runs[..., :-1] == latest).all(dim=-1)  # (M, W, t - size + 1)
    followers = runs[..., -1]
    limits = torch.where(begun & (followers != END), -math.inf, math.inf).to(scores.dtype)
    return scores.scatter_reduce(2, followers, limits, "amin")
