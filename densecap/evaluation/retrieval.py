"""Retrieval on a split: every image against every sentence (m-RNN; ``densecap.models.retrieval``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from densecap.evaluation.truth import Truth
from densecap.metrics.retrieval import images_from_sentences, sentences_from_images
from densecap.metrics.retrieval_settings import RetrievalSettings
from densecap.models.decoders.base import Decoder
from densecap.models.retrieval.pairs import Report, corrected_for_frequency, log_marginal, pair_log_probs
from densecap.text.cleaning import clean_words
from densecap.text.token_matrix import token_matrix
from densecap.text.vocabulary import Vocabulary


def split_sentences(truth: Truth, vocabulary: Vocabulary, max_length: int | None) -> tuple[Tensor, list[int]]:
    """Tokens (S, T) of all sentences of the split, cut at ``max_length`` words, and whose image each is of."""
    captions = [(place, text) for place, image in enumerate(truth.images) for text in image.captions]
    tokens = token_matrix([vocabulary.encode(clean_words(text))[:max_length] for _, text in captions])
    return tokens, [place for place, _ in captions]


def drawn_for_marginal(truth: Truth, settings: RetrievalSettings) -> list[int]:
    """Rows, in the prepared file, of the training images that say how probable a sentence is."""
    rows = truth.region_file.indices("train")
    if settings.correction == "none" or not len(rows):
        return []
    drawn = np.random.default_rng(settings.seed).permutation(rows)[: settings.num_marginal]
    return sorted(drawn.tolist())


def retrieval_figures(
    decoder: Decoder,
    features: Tensor,
    training: Tensor,
    sentences: tuple[Tensor, Sequence[int]],
    correction: str,
    report: Report = lambda done, total: None,
) -> dict[str, Any]:
    """Figures of both directions from features (I, F) of the split's images and (K, F) of training images.

    ``sentences`` as ``split_sentences`` gives them. Without training images nothing is corrected. The result has
    ``sentence_from_image`` and ``image_from_sentence`` (``RetrievalScore.to_json``), ``correction`` and
    ``num_marginal``.
    """
    tokens, owners = sentences
    correction = correction if len(training) else "none"
    others = {"marginal": training, "mean_image": training.mean(dim=0, keepdim=True), "none": training[:0]}[correction]
    scores = pair_log_probs(decoder, torch.cat((features, others)), tokens.to(features.device), report)
    log_probs, rest = scores[: len(features)], scores[len(features) :]
    ranked = corrected_for_frequency(log_probs, log_marginal(rest)) if len(others) else log_probs
    return {
        "correction": correction,
        "num_marginal": 0 if correction == "none" else len(training),
        "sentence_from_image": sentences_from_images(ranked.cpu().numpy(), owners).to_json(),
        "image_from_sentence": images_from_sentences(log_probs.cpu().numpy(), owners).to_json(),
    }
