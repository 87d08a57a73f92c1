"""The loop of generation: all regions step together, and those whose captions are complete leave early.

It knows nothing of the decoder but ``init_state`` and ``step``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from densecap.models.beams import Beams
from densecap.structures import Captions
from densecap.text.vocabulary import END

State = dict[str, Tensor]

#: On an accelerator, steps between two looks at what is complete: each look makes the host wait for the device.
STEPS_BETWEEN_CHECKS = 4

#: (scores (M, W, V + 1), log normalizer (M, W, 1), beams) -> (beam each new hypothesis continues (M, W'), new beams).
Choice = Callable[[Tensor, Tensor, Beams], tuple[Tensor, Beams]]

#: (scores (M, W, V + 1), beams) -> scores with -inf for what may not be said.
Restriction = Callable[[Tensor, Beams], Tensor]

#: The hypotheses of complete regions, W each -> those to be given out, best first.
Ranking = Callable[[Beams], Beams]


def looks(step: int, device: torch.device) -> bool:
    """Whether to look after this step which regions are complete."""
    return device.type == "cpu" or step % STEPS_BETWEEN_CHECKS == 0


class StepDecoder(Protocol):
    """What generation asks of a decoder (see ``densecap.models.decoders.base.Decoder``)."""

    max_length: int | None

    def init_state(self, features: Tensor) -> State: ...

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]: ...

    def loss(self, features: Tensor, tokens: Tensor) -> Tensor: ...


class Search:
    """Captions of at most ``max_length`` words for features (M, F), of which the ``kept`` best each are wanted.

    ``top_is_final`` says that a region is done when its ``kept`` best hypotheses are finished, not only when all are;
    ``restrict`` forbids words, and ``rank`` chooses among complete hypotheses when the beams' own order is not meant.
    """

    def __init__(
        self,
        decoder: StepDecoder,
        choose: Choice,
        max_length: int,
        kept: int,
        top_is_final: bool,
        restrict: Restriction | None = None,
        rank: Ranking | None = None,
    ) -> None:
        self.decoder = decoder
        self.choose = choose
        self.max_length = max_length
        self.kept = kept
        self.top_is_final = top_is_final
        self.restrict = restrict
        self.rank = rank

    def run(self, features: Tensor, start: int) -> Captions:
        """Captions of the features, ``kept`` each, next to each other."""
        count, device, length = features.shape[0], features.device, self.max_length
        self.tokens = torch.full((count, self.kept, length), END, dtype=torch.int64, device=device)
        self.log_probs = torch.full((count, self.kept), -math.inf, device=device)
        self.token_log_probs = torch.zeros((count, self.kept, length), device=device)
        self.token_log_probs[:, :, 0] = -math.inf
        regions = torch.arange(count, device=device)  # those still in the batch
        beams, state = Beams.start(count, device), self.decoder.init_state(features)
        words = torch.full((count,), start, dtype=torch.int64, device=device)
        for step in range(1, length + 1):
            if not len(regions):
                break
            scores, state = self.decoder.step(words, state)
            parents, beams = self._advance(scores, beams)
            rows = torch.arange(len(regions), device=device)[:, None] * (len(words) // len(regions)) + parents
            moved = beams.width > 1 or len(words) != len(regions)
            if step == length:
                self._write(regions, beams)
                break
            if looks(step, device):
                done = beams.finished[:, : self.kept if self.top_is_final else None].all(dim=1)
                staying = (~done).nonzero()[:, 0]
                if len(staying) < len(regions):
                    self._write(regions[done], beams.select(done))
                    regions, beams, rows, moved = regions[staying], beams.select(staying), rows[staying], True
            if moved:
                state = {name: value.index_select(0, rows.flatten()) for name, value in state.items()}
            words = beams.tokens[:, :, -1].flatten()
        return Captions(self.tokens.flatten(0, 1), self.log_probs.flatten(), self.token_log_probs.flatten(0, 1))

    def _advance(self, scores: Tensor, beams: Beams) -> tuple[Tensor, Beams]:
        """Scores (M * W, V + 1) -> what ``Choice`` returns."""
        scores = scores.float().view(len(beams.tokens), beams.width, scores.shape[1])
        log_normalizer = scores.logsumexp(dim=-1, keepdim=True)
        if self.restrict is not None:
            scores = self.restrict(scores, beams)
        return self.choose(scores, log_normalizer, beams)

    def _write(self, regions: Tensor, beams: Beams) -> None:
        """Put the best hypotheses of ``regions`` where they belong; impossible ones stay empty."""
        if self.rank is not None:
            beams = self.rank(beams)
        width, length = min(self.kept, beams.width), beams.steps
        log_probs = beams.log_probs[:, :width]
        possible = (log_probs > -math.inf)[:, :, None]
        places = (regions, slice(width), slice(length))
        self.tokens[places] = beams.tokens[:, :width].where(possible, END)
        self.token_log_probs[places] = beams.token_log_probs[:, :width].where(possible, self.token_log_probs[places])
        self.log_probs[regions, :width] = log_probs
