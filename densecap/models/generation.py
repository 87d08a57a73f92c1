"""Captions from features, written once for every decoder: greedy, beam search, diverse beam search and sampling.

Search knows nothing of the decoder but ``init_state`` and ``step``. All regions are decoded together, K beams each, and
those whose captions are complete leave the batch early.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from densecap.errors import UserError
from densecap.models.beams import sample_words, search_words
from densecap.models.diverse import rank_groups, search_groups
from densecap.models.generation_settings import GenerationSettings as GenerationSettings
from densecap.models.restrictions import Restrictions
from densecap.models.search import Choice, Search, StepDecoder
from densecap.structures import Captions
from densecap.text.vocabulary import Vocabulary

#: Sequences that are decoded together at most (regions times beams); bounds memory at rows times V scores.
MAX_ROWS = 4096


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
