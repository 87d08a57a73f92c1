"""How captions are chosen: the settings of ``densecap.models.generation``, which may be changed after training."""

from __future__ import annotations

import math
from dataclasses import dataclass

from densecap.errors import UserError

#: Settings that are whole numbers, and the least each may be.
WHOLE_NUMBERS = {
    "beam_size": 1,
    "max_length": 1,
    "num_captions": 1,
    "top_k": 1,
    "min_length": 0,
    "no_repeat_ngram": 1,
    "num_groups": 1,
}

#: Settings that may be empty.
OPTIONAL = ("temperature", "top_k", "top_p", "no_repeat_ngram")


@dataclass(frozen=True)
class GenerationSettings:
    """How captions are chosen.

    beam_size        K hypotheses are kept for each region; 1 is greedy
    max_length       words of a caption at most; one that reaches it needs no END
    length_penalty   hypotheses compare by log-probability / length ** penalty (END counts); 0 favours short captions
    temperature, top_k, top_p   any of them draws words at random instead: scores are divided by the temperature, then
                     only the k most probable words stay, then only the most probable ones that together reach p
    num_captions     captions of each region: the best beams, or independent draws
    allow_unknown    whether <UNK> may be said
    min_length       words of a caption at least, as far as the vocabulary and the other rules let it go on
    no_repeat_ngram  n: no n words in a row are said twice in a caption
    num_groups, diversity_strength   diverse beam search: the beams form groups of equal size, and a word counts as
                     less probable, by the strength, for every time an earlier group says it at the same step

    Errors: UserError for a value out of range or a combination that means nothing.
    """

    beam_size: int = 1
    max_length: int = 15
    length_penalty: float = 0.0
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    num_captions: int = 1
    allow_unknown: bool = True
    min_length: int = 0
    no_repeat_ngram: int | None = None
    num_groups: int = 1
    diversity_strength: float = 0.5

    def __post_init__(self) -> None:
        for name, least in WHOLE_NUMBERS.items():
            value = getattr(self, name)
            optional = name in OPTIONAL and value is None
            whole = isinstance(value, int) and not isinstance(value, bool)
            _require(optional or (whole and value >= least), name, value, f"a whole number of at least {least}")
        for name in ("length_penalty", "temperature", "top_p", "diversity_strength"):
            value = getattr(self, name)
            number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            optional = name in OPTIONAL and value is None
            _require(optional or number, name, value, "a number")
        _require(self.diversity_strength >= 0, "diversity_strength", self.diversity_strength, "at least 0")
        _require(self.temperature is None or self.temperature > 0, "temperature", self.temperature, "above 0")
        _require(self.top_p is None or 0 < self.top_p <= 1, "top_p", self.top_p, "above 0 and at most 1")
        if self.samples and self.beam_size > 1:
            raise UserError(
                f"generation.beam_size={self.beam_size} searches for the best caption, but generation.temperature, "
                "top_k and top_p draw at random: set beam_size to 1 or leave those three empty"
            )
        if not self.samples and self.num_captions > self.beam_size:
            raise UserError(
                f"generation.num_captions={self.num_captions} needs generation.beam_size of at least as many, "
                f"it is {self.beam_size}"
            )
        if self.min_length > self.max_length:
            raise UserError(
                f"generation.min_length={self.min_length} is more than generation.max_length={self.max_length}"
            )
        if self.beam_size % self.num_groups:
            raise UserError(
                f"generation.num_groups={self.num_groups} must divide generation.beam_size={self.beam_size} into "
                "groups of equal size"
            )

    @property
    def samples(self) -> bool:
        """Whether words are drawn at random."""
        return self.temperature is not None or self.top_k is not None or self.top_p is not None


def _require(condition: bool, name: str, value: object, wanted: str) -> None:
    if not condition:
        raise UserError(f"generation.{name}={value} must be {wanted}")
