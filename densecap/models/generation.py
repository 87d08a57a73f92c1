"""Captions from features, written once for every decoder: greedy, beam search and sampling.

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
from densecap.models.search import Choice, Search, StepDecoder
from densecap.structures import Captions
from densecap.text.vocabulary import Vocabulary

#: Sequences that are decoded together at most (regions times beams); bounds memory at rows times V scores.
MAX_ROWS = 4096


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

    def __post_init__(self) -> None:
        for name in ("beam_size", "max_length", "num_captions", "top_k"):
            value = getattr(self, name)
            optional = name == "top_k" and value is None
            whole = isinstance(value, int) and not isinstance(value, bool)
            _require(optional or (whole and value >= 1), name, value, "a whole number of at least 1")
        for name in ("length_penalty", "temperature", "top_p"):
            value = getattr(self, name)
            number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            optional = name != "length_penalty" and value is None
            _require(optional or number, name, value, "a number")
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
    """Caption features (N, F): tokens (N * num_captions, max_length) and log-probabilities (N * num_captions,), the
    captions of a feature next to each other, best first.

    A log-probability is the plain sum over the words said, and END if it was said, under the model itself: no
    temperature, no length penalty. When fewer than ``num_captions`` captions exist the missing ones are empty with
    log-probability -inf. The decoder should be in evaluation mode. ``generator`` drives sampling; ``max_rows`` bounds
    how many sequences are decoded at once. Errors: UserError when ``max_length`` is more than the decoder can write.
    """
    if decoder.max_length is not None and settings.max_length > decoder.max_length:
        raise UserError(
            f"generation.max_length={settings.max_length} is more than model.decoder.max_length={decoder.max_length}"
        )
    kept = settings.num_captions
    if settings.samples:  # every draw is a row of its own
        features, kept = features.repeat_interleave(settings.num_captions, dim=0), 1
    forbidden = None
    if not settings.allow_unknown and vocabulary.unknown is not None:
        forbidden = torch.tensor([vocabulary.unknown], device=features.device)
    # A finished hypothesis on top can be overtaken only if being longer can make one compare better.
    top_is_final = settings.length_penalty <= 0 and not settings.samples
    search = Search(decoder, _choice(settings, generator), settings.max_length, kept, top_is_final)
    chunks = features.split(max(1, max_rows // settings.beam_size))
    parts = [search.run(chunk, vocabulary.start, forbidden) for chunk in chunks]
    tokens, log_probs = (torch.cat(items) for items in zip(*parts))
    if settings.samples:
        tokens, log_probs = _best_first(tokens, log_probs, settings.num_captions)
    return Captions(tokens, log_probs)


def _best_first(tokens: Tensor, log_probs: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Order each run of ``count`` rows of tokens (N * count, T) and log-probabilities (N * count,)."""
    groups = log_probs.view(len(log_probs) // count, count)
    order = groups.argsort(dim=1, descending=True, stable=True)
    rows = (order + count * torch.arange(len(groups), device=order.device)[:, None]).flatten()
    return tokens[rows], log_probs[rows]


@torch.no_grad()
def score_captions(decoder: StepDecoder, features: Tensor, tokens: Tensor, max_rows: int = MAX_ROWS) -> Tensor:
    """Log-probability (N,) of given captions (N, T), padded with 0, for features (N, F); END is included."""
    parts = zip(features.split(max_rows), tokens.split(max_rows))
    return torch.cat([-decoder.loss(part, words) for part, words in parts])


def _choice(settings: GenerationSettings, generator: torch.Generator | None) -> Choice:
    if not settings.samples:
        return partial(search_words, beam_size=settings.beam_size, length_penalty=settings.length_penalty)
    return partial(
        sample_words,
        temperature=settings.temperature,
        top_k=settings.top_k,
        top_p=settings.top_p,
        generator=generator,
    )
