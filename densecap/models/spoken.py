"""Generated token ids as text, with what each caption and each of its words is worth."""

from __future__ import annotations

from typing import Any, Protocol

from densecap.structures import RegionPrediction, ScoredCaption
from densecap.text.vocabulary import END, Vocabulary


class Generated(Protocol):
    """``densecap.structures.Captions``, or the same of arrays."""

    @property
    def tokens(self) -> Any: ...

    @property
    def log_probs(self) -> Any: ...

    @property
    def token_log_probs(self) -> Any: ...


def spoken(captions: Generated, num_captions: int, vocabulary: Vocabulary) -> list[list[ScoredCaption]]:
    """The captions of each feature, ``num_captions`` at most: impossible ones are left out, but for the first."""
    rows = zip(captions.tokens.tolist(), captions.log_probs.tolist(), captions.token_log_probs.tolist())
    said = [ScoredCaption(vocabulary.decode(t), p, terms[: _length(t)]) for t, p, terms in rows]
    groups = [said[start : start + num_captions] for start in range(0, len(said), num_captions)]
    return [[*own[:1], *(item for item in own[1:] if item.log_prob > -float("inf"))] for own in groups]


def described(
    box: tuple[float, float, float, float], score: float, said: list[ScoredCaption], num_captions: int
) -> RegionPrediction:
    """The prediction of a box with its captions, best first; more than one was asked for if ``num_captions`` > 1."""
    best = said[0]
    if num_captions == 1:
        return RegionPrediction(box, score, best.caption, best.log_prob)
    return RegionPrediction(box, score, best.caption, best.log_prob, best.token_log_probs, said)


def _length(tokens: list[int]) -> int:
    """Words, and END where it was said."""
    return tokens.index(END) + 1 if END in tokens else len(tokens)
