"""All pairs for decoders whose recurrence does not see the image: the text once a sentence, the image once an image.

Per pair of a distinct history and an image there remain the fusion and the scores of the next word (m-RNN: the image
enters the multimodal layer only). On a processor every core works through blocks of its own, so that none waits for
another.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from densecap.models.decoders.base import Decoder
from densecap.models.retrieval.cores import on_all_cores
from densecap.models.retrieval.output_layer import OutputLayer
from densecap.models.retrieval.prefixes import Prefixes, distinct_prefixes
from densecap.text.vocabulary import END

#: Sentences whose histories are held at once, and that are read to the decoder at once.
GROUP_SENTENCES, READ_SENTENCES = 8192, 256

#: Images of a block of pairs.
BLOCK_IMAGES = 128

#: Blocks that are tried with either library for products of matrices; far fewer than there must be to make it worth it.
TRIED_BLOCKS = 8


class LateFusionScorer:
    """Scores sentences (S, T), distinct, for a late-fusion decoder in evaluation mode."""

    def __init__(self, decoder: Decoder, tokens: Tensor) -> None:
        self.decoder, self.tokens = decoder, tokens
        self.layer = OutputLayer(decoder.output, decoder.vocabulary_size + 1)
        order = _alphabetical(tokens)  # neighbours share their beginnings, so groups lose little
        self.groups = [(rows, distinct_prefixes(tokens[rows])) for rows in order.split(GROUP_SENTENCES)]

    @property
    def num_prefixes(self) -> int:
        """Histories that each image is scored with."""
        return sum(len(prefixes) for _, prefixes in self.groups)

    def score(self, features: Tensor, advance: Callable[[int], None]) -> Tensor:
        """Features (I, F) -> log-probabilities (S, I); ``advance`` is told of pairs of a history and an image."""
        images = torch.cat([self.decoder.image_states(part) for part in features.split(4096)])  # (I, M)
        total = torch.zeros(len(self.tokens), len(images), device=images.device)
        for rows, prefixes in self.groups:
            text = read_text(self.decoder, self.tokens[rows], prefixes)  # (P, M)
            total[rows] = self._score_group(text, images, prefixes, len(rows), advance)
        return total

    def _score_group(
        self, text: Tensor, images: Tensor, prefixes: Prefixes, count: int, advance: Callable[[int], None]
    ) -> Tensor:
        total = torch.zeros(count, len(images), device=images.device)
        width = min(BLOCK_IMAGES, len(images), self.layer.max_rows)
        starts = range(0, len(text), max(1, self.layer.max_rows // width))
        pairs = _bounds(prefixes.prefix, starts, len(text))
        places = _bounds(prefixes.continuation, pairs[:-1], len(prefixes.prefix))

        @torch.no_grad()
        def score(block: int) -> Tensor:
            own, start = slice(pairs[block], pairs[block + 1]), starts[block]
            block_text = text[start : start + starts.step, None]  # (P, 1, M)
            return self._block(block_text, images, prefixes.prefix[own] - start, prefixes.word[own], width)

        if images.device.type == "cpu" and len(starts) > 50 * TRIED_BLOCKS:
            self.layer.with_numpy = self._numpy_is_faster(score)
        for block, log_probs in enumerate(on_all_cores(score, len(starts), images.device)):
            there = slice(places[block], places[block + 1])
            total.index_add_(0, prefixes.owner[there], log_probs[prefixes.continuation[there] - pairs[block]])
            advance(min(starts.step, len(text) - starts[block]) * len(images))
        return total

    def _numpy_is_faster(self, score: Callable[[int], Tensor]) -> bool:
        """Which library to take depends on what each was built with and for: up to 1.5 times as fast as the other."""
        seconds = []
        for with_numpy in (True, False):
            self.layer.with_numpy = with_numpy
            start = time.perf_counter()
            for _ in on_all_cores(score, TRIED_BLOCKS, torch.device("cpu")):
                pass
            seconds.append(time.perf_counter() - start)
        return seconds[0] < seconds[1]

    def _block(self, text: Tensor, images: Tensor, prefix: Tensor, word: Tensor, width: int) -> Tensor:
        """Text (P, 1, M), all images (I, M), pairs (C,) -> log-probabilities (C, I)."""
        parts = []
        for part in images.split(width):
            hidden = self.decoder.fuse(text, part[None])  # (P, I', H)
            parts.append(self.layer.log_probs(hidden, prefix, word))
        return torch.cat(parts, dim=1)


def read_text(decoder: Decoder, tokens: Tensor, prefixes: Prefixes) -> Tensor:
    """The decoder's text side (P, M) after each distinct history of the sentences (S, T)."""
    lengths = (tokens != END).sum(dim=1)
    order = prefixes.sentence.argsort(stable=True)
    owners, counts = torch.unique_consecutive(prefixes.sentence[order], return_counts=True)  # sentences with a new one
    by_length = lengths[owners].argsort(stable=True)
    ends = counts.cumsum(0)
    states: list[Tensor] = []
    rows: list[Tensor] = []
    for part in by_length.split(READ_SENTENCES):
        sentences = owners[part]
        text = decoder.text_states(tokens[sentences, : int(lengths[sentences].max())])  # (N, T' + 1, M)
        local = torch.repeat_interleave(torch.arange(len(part), device=tokens.device), counts[part])
        places = torch.cat([order[end - size : end] for end, size in zip(ends[part].tolist(), counts[part].tolist())])
        states.append(text[local, prefixes.position[places]])
        rows.append(places)
    text = torch.cat(states)
    return torch.empty_like(text).index_copy_(0, torch.cat(rows), text)


def _alphabetical(tokens: Tensor) -> Tensor:
    """Order (S,) of the sentences by their first word, then their second, and so on."""
    order = torch.arange(len(tokens), device=tokens.device)
    for position in reversed(range(tokens.shape[1])):
        order = order[tokens[order, position].argsort(stable=True)]
    return order


def _bounds(ascending: Tensor, values: Any, end: int) -> list[int]:
    """Where each of ``values`` would begin in ascending numbers, and where all end."""
    wanted = torch.tensor([*values, end], dtype=ascending.dtype, device=ascending.device)
    return torch.searchsorted(ascending.contiguous(), wanted).tolist()
