"""How captions use words: lengths, vocabulary, repetition. Words are those of ``densecap.text.cleaning``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from densecap.text.cleaning import clean_words


@dataclass
class CaptionUse:
    """``captions`` and how often each occurs, white space made single blanks and otherwise as written."""

    captions: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, captions: Iterable[str]) -> CaptionUse:
        return cls(Counter(" ".join(caption.split()) for caption in captions))

    @property
    def num_captions(self) -> int:
        return self.captions.total()

    @property
    def distinct_share(self) -> float:
        """Distinct captions among all, NaN for none."""
        return _share(len(self.captions), self.num_captions)

    @cached_property
    def sentences(self) -> Counter[tuple[str, ...]]:
        """How often each sequence of words occurs."""
        counts: Counter[tuple[str, ...]] = Counter()
        for caption, count in self.captions.items():
            counts[tuple(clean_words(caption))] += count
        return counts

    @cached_property
    def words(self) -> Counter[str]:
        """How often each word occurs."""
        counts: Counter[str] = Counter()
        for sentence, count in self.sentences.items():
            for word in sentence:
                counts[word] += count
        return counts

    @cached_property
    def lengths(self) -> Counter[int]:
        """How many captions have so many words; an empty caption has 0."""
        counts: Counter[int] = Counter()
        for sentence, count in self.sentences.items():
            counts[len(sentence)] += count
        return counts

    @property
    def mean_length(self) -> float:
        """Words a caption, NaN for none."""
        return _share(self.words.total(), self.num_captions)

    def rate(self, word: str) -> float:
        """How often the word occurs among 1,000 words, 0 without any."""
        return 1000 * self.words[word] / max(self.words.total(), 1)


def vocabulary_share(predicted: CaptionUse, truth: CaptionUse) -> float:
    """Share of the truth's distinct words that the predictions use at least once, NaN without any."""
    return _share(len(predicted.words.keys() & truth.words.keys()), len(truth.words))


def verbatim_share(predicted: CaptionUse, truth: CaptionUse) -> float:
    """Share of predicted captions that stand word for word among the truths of the split, NaN for none."""
    same = sum(count for sentence, count in predicted.sentences.items() if sentence in truth.sentences)
    return _share(same, predicted.num_captions)


def usage_gaps(predicted: CaptionUse, truth: CaptionUse) -> list[tuple[str, float, float]]:
    """(word, predicted, true) times among 1,000 words, from the most overused word to the most underused."""
    words = predicted.words.keys() | truth.words.keys()
    rows = [(word, predicted.rate(word), truth.rate(word)) for word in words]
    return sorted(rows, key=lambda row: (row[2] - row[1], row[0]))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
