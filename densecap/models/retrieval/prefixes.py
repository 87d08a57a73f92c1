"""What many sentences share: their beginnings.

A word's probability depends on the words before it, its history. Equal histories of different sentences need to be
scored once for each image, and of each only the words that follow it somewhere: of 5,000 Flickr8K sentences with
59,000 positions 40,000 histories are distinct.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from densecap.models.decoders.base import caption_targets
from densecap.text.vocabulary import END


@dataclass(frozen=True)
class Prefixes:
    """P distinct histories of S sentences, C distinct pairs of a history and a next word (END too), O positions.

    sentence, position (P,)  where the history occurs first: before target ``position`` of that sentence
    prefix, word (C,)        the history, ascending, and a word that follows it
    owner, continuation (O,) every position of every sentence: the sentence, and its pair; ascending by pair
    """

    sentence: Tensor
    position: Tensor
    prefix: Tensor
    word: Tensor
    owner: Tensor
    continuation: Tensor

    def __len__(self) -> int:
        return len(self.sentence)


def distinct_prefixes(tokens: Tensor) -> Prefixes:
    """Tokens (S, T) padded with 0 -> the distinct histories, shorter ones first. S may be 0."""
    targets = caption_targets(tokens)  # (S, T + 1)
    alive = torch.arange(len(tokens), device=tokens.device)
    number = torch.zeros_like(alive)  # of each living sentence's history
    first = alive[:1]  # of each history of this length the first sentence that has it
    num_prefixes = num_pairs = 0
    parts: list[tuple[Tensor, ...]] = []
    for position in range(targets.shape[1]):
        if not len(alive):
            break
        words = targets[alive, position]
        pairs, pair = torch.unique(torch.stack((number, words)), dim=1, return_inverse=True)  # (2, C'), (A,)
        parts.append(
            (first, torch.full_like(first, position), pairs[0] + num_prefixes, pairs[1], alive, pair + num_pairs)
        )
        num_prefixes, num_pairs = num_prefixes + len(first), num_pairs + pairs.shape[1]
        going = words != END
        alive, pair = alive[going], pair[going]
        _, number = torch.unique(pair, return_inverse=True)
        first = _first_with(number, alive)
    columns = [torch.cat(column) for column in zip(*parts)] if parts else [alive] * 6
    sentence, place, prefix, word, owner, continuation = columns
    order = continuation.argsort(stable=True)
    return Prefixes(sentence, place, prefix, word, owner[order], continuation[order])


def _first_with(number: Tensor, alive: Tensor) -> Tensor:
    """Sentences (A,) with numbers 0..N-1 that all occur -> the first sentence of each number (N,)."""
    if not len(number):
        return alive
    count = int(number.max()) + 1
    last = alive.new_full((count,), int(alive.max()))
    return last.scatter_reduce(0, number, alive, "amin")
