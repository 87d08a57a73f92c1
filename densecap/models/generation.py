"""Captions from features, written once for every decoder: greedy, beam search and sampling.

Search knows nothing of the decoder but ``init_state`` and ``step``. All regions are decoded together, K beams each, and
those whose captions are complete leave the batch early.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from densecap.errors import UserError
from densecap.models.beams import Beams, sample_words, search_words
from densecap.structures import Captions
from densecap.text.vocabulary import END, Vocabulary

State = dict[str, Tensor]

#: Sequences that are decoded together at most (regions times beams); bounds memory at rows times V scores.
MAX_ROWS = 4096

#: On an accelerator, steps between two looks at what is complete: each look makes the host wait for the device.
STEPS_BETWEEN_CHECKS = 4


class StepDecoder(Protocol):
    """What generation asks of a decoder (see ``densecap.models.decoders.base.Decoder``)."""

    max_length: int | None

    def init_state(self, features: Tensor) -> State: ...

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]: ...

    def loss(self, features: Tensor, tokens: Tensor) -> Tensor: ...


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
    """Caption features (N, F): tokens (N * num_captions, max_length) and log-probabilities, the captions of a feature
    next to each other, best first (drawn ones in the order of drawing).

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
    decoding = _Decoding(decoder, settings, kept, _choice(settings, generator))
    chunks = features.split(max(1, max_rows // settings.beam_size))
    parts = [decoding.run(chunk, vocabulary.start, forbidden) for chunk in chunks]
    return Captions(torch.cat([tokens for tokens, _ in parts]), torch.cat([log_probs for _, log_probs in parts]))


@torch.no_grad()
def score_captions(decoder: StepDecoder, features: Tensor, tokens: Tensor, max_rows: int = MAX_ROWS) -> Tensor:
    """Log-probability (N,) of given captions (N, T), padded with 0, for features (N, F); END is included."""
    parts = zip(features.split(max_rows), tokens.split(max_rows))
    return torch.cat([-decoder.loss(part, words) for part, words in parts])


#: (scores (M, W, V + 1), log normalizer (M, W, 1), beams) -> (beam each new hypothesis continues (M, W'), new beams).
Choice = Callable[[Tensor, Tensor, Beams], tuple[Tensor, Beams]]


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


class _Decoding:
    """Generation for a batch of features (M, F), of which ``kept`` captions each are wanted."""

    def __init__(self, decoder: StepDecoder, settings: GenerationSettings, kept: int, choose: Choice) -> None:
        self.decoder = decoder
        self.settings = settings
        self.kept = kept
        self.choose = choose
        # Whether a finished hypothesis on top can no longer be overtaken: only if longer never compares better.
        self.top_is_final = settings.length_penalty <= 0 and not settings.samples

    def run(self, features: Tensor, start: int, forbidden: Tensor | None) -> tuple[Tensor, Tensor]:
        """Tokens (M * kept, max_length) and log-probabilities (M * kept,)."""
        count, device, length = features.shape[0], features.device, self.settings.max_length
        self.tokens = torch.full((count, self.kept, length), END, dtype=torch.int64, device=device)
        self.log_probs = torch.full((count, self.kept), -math.inf, device=device)
        regions = torch.arange(count, device=device)  # those still in the batch
        beams, state = Beams.start(count, device), self.decoder.init_state(features)
        words = torch.full((count,), start, dtype=torch.int64, device=device)
        for step in range(1, length + 1):
            if not len(regions):
                break
            scores, state = self.decoder.step(words, state)
            parents, beams = self._advance(scores, beams, forbidden)
            rows = torch.arange(len(regions), device=device)[:, None] * (len(words) // len(regions)) + parents
            moved = beams.width > 1 or len(words) != len(regions)
            if step == length:
                self._write(regions, beams)
            elif device.type == "cpu" or step % STEPS_BETWEEN_CHECKS == 0:
                done = beams.finished[:, : self.kept if self.top_is_final else None].all(dim=1)
                staying = (~done).nonzero()[:, 0]
                if len(staying) < len(regions):
                    self._write(regions[done], beams.select(done))
                    regions, beams, rows, moved = regions[staying], beams.select(staying), rows[staying], True
            if moved:
                state = {name: value.index_select(0, rows.flatten()) for name, value in state.items()}
            words = beams.tokens[:, :, -1].flatten()
        return self.tokens.flatten(0, 1), self.log_probs.flatten()

    def _advance(self, scores: Tensor, beams: Beams, forbidden: Tensor | None) -> tuple[Tensor, Beams]:
        """Scores (M * W, V + 1) -> what ``Choice`` returns."""
        scores = scores.float().view(len(beams.tokens), beams.width, scores.shape[1])
        log_normalizer = scores.logsumexp(dim=-1, keepdim=True)
        if forbidden is not None:
            scores = scores.index_fill(-1, forbidden, -math.inf)
        return self.choose(scores, log_normalizer, beams)

    def _write(self, regions: Tensor, beams: Beams) -> None:
        """Put the best hypotheses of ``regions`` where they belong; impossible ones stay empty."""
        width, length = min(self.kept, beams.width), beams.tokens.shape[2]
        log_probs = beams.log_probs[:, :width]
        possible = (log_probs > -math.inf)[:, :, None]
        self.tokens[regions, :width, :length] = beams.tokens[:, :width].where(possible, END)
        self.log_probs[regions, :width] = log_probs
