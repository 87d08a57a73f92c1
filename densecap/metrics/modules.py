"""The caption metrics as torchmetrics classes: right on several processes, with uneven shares and repeated images.

``update`` takes image ids; each image counts once (see ``keyed``). Captions are text, cut into words by ``tokenizer``,
or words between spaces already with ``tokenizer=None``. The metrics of boxes are in ``dense_modules``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from densecap.metrics.bleu import BleuStatistics, bleu_of_statistics, bleu_statistics
from densecap.metrics.cider import DocumentFrequencies, cider
from densecap.metrics.examined import Examined
from densecap.metrics.keyed import KeyedMetric
from densecap.metrics.meteor.score import corpus_score as meteor_corpus_score
from densecap.metrics.meteor.shared import METEOR_STATISTICS, MeteorStatistics
from densecap.metrics.ngrams import MAX_ORDER, count_ngrams
from densecap.metrics.perplexity import IGNORED, caption_losses, perplexity
from densecap.metrics.rouge_l import rouge_l
from densecap.metrics.tokenizer import tokenize


class CaptionMetric(KeyedMetric):
    """Base of the metrics that compare one caption an image with its references."""

    def __init__(self, tokenizer: Callable[[str], list[str]] | None = tokenize, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tokenizer = tokenizer

    def update(
        self, image_ids: Sequence[object], candidates: Sequence[str], references: Sequence[Sequence[str]]
    ) -> None:
        """Add N images: their ids, their captions, and for each a list of references.

        Errors: ValueError when the three differ in length or an image has no reference.
        """
        if not len(image_ids) == len(candidates) == len(references):
            sizes = len(image_ids), len(candidates), len(references)
            raise ValueError(f"ids, candidates and references must be as many, got {sizes}")
        words = [self._words(candidate) for candidate in candidates]
        others = [[self._words(reference) for reference in own] for own in references]
        for image_id, record in zip(image_ids, self.image_records(words, others)):
            self.add(image_id, record)

    def take(self, image: Examined) -> None:
        """Add the captions of an image's true boxes; each box counts as an image of the COCO evaluation does."""
        described = image.described
        self.update(described.keys, described.candidates, described.references)

    @abstractmethod
    def image_records(self, candidates: list[str], references: list[list[str]]) -> Iterable[Any]:
        """What is kept of each of N images; captions are words between spaces by now."""

    def _words(self, caption: str) -> str:
        return caption if self.tokenizer is None else " ".join(self.tokenizer(caption))


class BleuMetric(CaptionMetric):
    """BLEU-1 to BLEU-4 of the corpus, as a dictionary of these names; an image leaves ten integers."""

    figure = "BLEU-4"

    def image_records(self, candidates: list[str], references: list[list[str]]) -> Iterable[Any]:
        counts = bleu_statistics(count_ngrams(candidates, references))
        lengths = np.stack((counts.candidate_length, counts.reference_length), axis=1)
        return np.concatenate((counts.matches, counts.totals, lengths), axis=1)

    def compute(self) -> dict[str, Tensor]:
        rows = np.array(self.ordered(), np.int64).reshape(-1, 2 * MAX_ORDER + 2)
        counts = BleuStatistics(rows[:, :MAX_ORDER], rows[:, MAX_ORDER:-2], rows[:, -2], rows[:, -1])
        scores = bleu_of_statistics(counts).corpus
        return {f"BLEU-{order}": self.scalar(score) for order, score in enumerate(scores, start=1)}


class CiderMetric(CaptionMetric):
    """CIDEr-D of the corpus.

    With ``fixed`` document frequencies an image leaves one number; without, its words, for the frequencies are those
    of all images together.
    """

    figure = "CIDEr"

    def __init__(self, fixed: DocumentFrequencies | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fixed = fixed

    def image_records(self, candidates: list[str], references: list[list[str]]) -> Iterable[Any]:
        if self.fixed is not None:
            return cider(candidates, references, self.fixed).images.tolist()
        return list(zip(candidates, references))

    def compute(self) -> Tensor:
        records = self.ordered()
        if self.fixed is not None:
            return self.scalar(float(np.mean(records)) if records else 0.0)
        candidates, references = ([record[part] for record in records] for part in (0, 1))
        return self.scalar(cider(candidates, references).corpus)


class RougeLMetric(CaptionMetric):
    """ROUGE-L of the corpus; an image leaves one number."""

    figure = "ROUGE-L"

    def image_records(self, candidates: list[str], references: list[list[str]]) -> Iterable[Any]:
        return rouge_l(candidates, references).images.tolist()

    def compute(self) -> Tensor:
        return self.scalar(float(np.mean(self.ordered())) if self.records else 0.0)


class MeteorMetric(CaptionMetric):
    """METEOR of the corpus; an image leaves 23 numbers.

    ``statistics`` gives rows (n, 23) of (candidate, references) pairs, each for the best reference, and is called once
    before processes exchange anything; ``corpus_score`` makes one score of the rows of all images.
    """

    figure = "METEOR"

    def __init__(
        self,
        statistics: Callable[[list[tuple[str, list[str]]]], np.ndarray] = METEOR_STATISTICS,
        corpus_score: Callable[[np.ndarray], float] = meteor_corpus_score,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.statistics, self.corpus_score = statistics, corpus_score

    def problem(self) -> str | None:
        return self.statistics.problem() if isinstance(self.statistics, MeteorStatistics) else None

    def image_records(self, candidates: list[str], references: list[list[str]]) -> Iterable[Any]:
        return list(zip(candidates, references))

    def prepare(self) -> None:
        """Compare the captions of all images that have not been yet."""
        waiting = {key: record for key, record in self.records.items() if isinstance(record, tuple)}
        if waiting:
            self.records |= zip(waiting, np.asarray(self.statistics(list(waiting.values()))))

    def compute(self) -> Tensor:
        return self.scalar(self.corpus_score(np.stack(self.ordered())) if self.records else 0.0)


class PerplexityMetric(KeyedMetric):
    """Perplexity of the true captions; an image leaves the sum of its losses and its number of tokens."""

    higher_is_better = False
    figure = "perplexity"

    def __init__(self, ignore_index: int = IGNORED, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ignore_index = ignore_index

    def update(self, image_ids: Sequence[object], logits: Tensor, targets: Tensor) -> None:
        """Add N captions: the id of the image of each, ``logits`` (N, T, V) and ``targets`` (N, T).

        All captions of an image belong into one call. Errors: ValueError when the sizes do not fit.
        """
        losses, tokens = caption_losses(logits, targets, self.ignore_index)
        if len(image_ids) != len(losses):
            raise ValueError(f"there are {len(image_ids)} image ids for {len(losses)} captions")
        sums: dict[object, tuple[float, int]] = {}
        for image_id, loss, count in zip(image_ids, losses.tolist(), tokens.tolist()):
            before = sums.get(image_id, (0.0, 0))
            sums[image_id] = before[0] + loss, before[1] + count
        for image_id, record in sums.items():
            self.add(image_id, record)

    def take(self, image: Examined) -> None:
        """Add the true captions of an image."""
        logits, targets = image.told
        self.update([image.image_id] * len(targets), logits, targets)

    def compute(self) -> Tensor:
        rows = torch.tensor(self.ordered(), dtype=torch.float64).reshape(-1, 2)
        return self.scalar(perplexity(rows[:, 0], rows[:, 1]))
