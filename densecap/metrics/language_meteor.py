"""The paper's language-only METEOR: are the words right for the picture, wherever the boxes are?

Every predicted caption of an image is compared with all annotated phrases of that image as its references; positions
are ignored. The figure is the mean over all predicted captions of the split (Johnson et al., 2016, table 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from densecap.metrics.dense_map.language import Pair, PairScorer, plain_text, score_pairs


@dataclass(frozen=True)
class LanguageScore:
    """``mean`` over all ``num_captions`` (NaN for none); per image the sum of scores and number of captions (N,)."""

    mean: float
    num_captions: int
    sums: NDArray[np.float64]
    counts: NDArray[np.int64]


def language_meteor(
    captions: Sequence[Sequence[str]],
    references: Sequence[Sequence[str]],
    scorer: PairScorer,
    max_captions: int | None = None,
) -> LanguageScore:
    """Language-only METEOR of N images: their predicted captions, best first, and their annotated phrases.

    Many references a caption make this slow; ``max_captions`` looks at that many of each image. Captions of an image
    without phrases score 0. Errors: ValueError when the two sequences differ in length.
    """
    if len(captions) != len(references):
        raise ValueError(f"there are captions of {len(captions)} images but references of {len(references)}")
    pairs: list[Pair] = []
    counts = []
    for own, phrases in zip(captions, references):
        texts = tuple(text for text in dict.fromkeys(map(plain_text, phrases)) if text)
        pairs += [(plain_text(caption), texts) for caption in own[:max_captions]]
        counts.append(min(len(own), len(own) if max_captions is None else max_captions))
    scores = score_pairs(pairs, scorer)
    sums = np.array([part.sum() for part in np.split(scores, np.cumsum(counts)[:-1])] if counts else [], np.float64)
    mean = float(scores.mean()) if len(scores) else float("nan")
    return LanguageScore(mean, len(scores), sums, np.array(counts, np.int64))
