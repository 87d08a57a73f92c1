"""Captions from features, written once for every decoder: greedy, beam search, diverse beam search and sampling.

Search knows nothing of the decoder but ``init_state`` and ``step``. All regions are decoded together, K beams each, and
those whose captions are complete leave the batch early.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from densecap.errors import UserError
from densecap.models.beams import sample_words, search_words
from densecap.models.diverse import rank_groups, search_groups
from densecap.models.restrictions import Restrictions
from densecap.models.search import Choice, Search, StepDecoder
from densecap.structures import Captions
from densecap.text.vocabulary import Vocabulary

#: Sequences that are decoded together at most (regions times beams); bounds memory at rows times V scores.
MAX_ROWS = 4096


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


@torch.no_grad()
def generate(
    decoder: StepDecoder,
    features: Tensor,
    settings: GenerationSettings,
    vocabulary: Vocabulary,
    generator: torch.Generator | None = None,
    max_rows: int = MAX_ROWS,
) -> Captions:
    """Caption features (N, F): ``num_captions`` captions of each next to each other, best first.

    A log-probability is the plain sum over the words said, and END if it was said, under the model itself: no
    temperature, no length penalty, no diversity. When fewer than ``num_captions`` captions exist the missing ones are
    empty with log-probability -inf. The decoder should be in evaluation mode. ``generator`` drives sampling;
    ``max_rows`` bounds how many sequences are decoded at once. Errors: UserError when ``max_length`` is more than the
    decoder can write.
    """
    if decoder.max_length is not None and settings.max_length > decoder.max_length:
        raise UserError(
            f"generation.max_length={settings.max_length} is more than model.decoder.max_length={decoder.max_length}"
        )
    if settings.samples:  # every draw is a row of its own
        features = features.repeat_interleave(settings.num_captions, dim=0)
    search = _search(decoder, settings, vocabulary, generator)
    parts = [search.run(chunk, vocabulary.start) for chunk in features.split(max(1, max_rows // settings.beam_size))]
    captions = Captions(*(torch.cat(values) for values in zip(*(part.tensors() for part in parts))))
    return _best_first(captions, settings.num_captions) if settings.samples else captions


def _search(
    decoder: StepDecoder, settings: GenerationSettings, vocabulary: Vocabulary, generator: torch.Generator | None
) -> Search:
    unknown = () if settings.allow_unknown or vocabulary.unknown is None else (vocabulary.unknown,)
    restrictions = Restrictions(unknown, settings.min_length, settings.no_repeat_ngram)
    kept = 1 if settings.samples else settings.num_captions
    grouped = settings.num_groups > 1
    # A finished hypothesis on top can be overtaken only if being longer can make one compare better.
    top_is_final = settings.length_penalty <= 0 and not settings.samples and not grouped
    rank = partial(rank_groups, kept=kept, length_penalty=settings.length_penalty, num_groups=settings.num_groups)
    return Search(
        decoder,
        _choice(settings, generator),
        settings.max_length,
        kept,
        top_is_final,
        restrict=restrictions or None,
        rank=rank if grouped else None,
    )


def _best_first(captions: Captions, count: int) -> Captions:
    """Order each run of ``count`` captions."""
    groups = captions.log_probs.view(len(captions.log_probs) // count, count)
    order = groups.argsort(dim=1, descending=True, stable=True)
    rows = (order + count * torch.arange(len(groups), device=order.device)[:, None]).flatten()
    return Captions(*(values[rows] for values in captions.tensors()))


@torch.no_grad()
def score_captions(decoder: StepDecoder, features: Tensor, tokens: Tensor, max_rows: int = MAX_ROWS) -> Tensor:
    """Log-probability (N,) of given captions (N, T), padded with 0, for features (N, F); END is included."""
    parts = zip(features.split(max_rows), tokens.split(max_rows))
    return torch.cat([-decoder.loss(part, words) for part, words in parts])


def _choice(settings: GenerationSettings, generator: torch.Generator | None) -> Choice:
    if not settings.samples:
        if settings.num_groups == 1:
            return partial(search_words, beam_size=settings.beam_size, length_penalty=settings.length_penalty)
        return partial(
            search_groups,
            beam_size=settings.beam_size,
            length_penalty=settings.length_penalty,
            num_groups=settings.num_groups,
            diversity_strength=settings.diversity_strength,
        )
    return partial(
        sample_words,
        temperature=settings.temperature,
        top_k=settings.top_k,
        top_p=settings.top_p,
        generator=generator,
    )
