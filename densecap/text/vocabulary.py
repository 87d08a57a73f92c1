"""Words and their ids.

Token ids: 0 is END and also the padding of a token matrix (a caption ends at its first 0), 1..V are the words, V + 1
is START and only ever an input. A decoder therefore embeds V + 2 tokens and scores V + 1 classes (0..V).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

END = 0
UNKNOWN = "<UNK>"


class Vocabulary:
    """An ordered list of distinct words; the id of ``words[k]`` is k + 1."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = list(words)
        self._ids = {word: index + 1 for index, word in enumerate(self.words)}
        if len(self._ids) != len(self.words):
            repeated = [word for word, count in Counter(self.words).items() if count > 1]
            raise ValueError(f"a vocabulary holds every word once, these are repeated: {repeated[:5]}")

    @classmethod
    def from_counts(cls, counts: Counter[str], min_count: int = 1, needs_unknown: bool | None = None) -> Vocabulary:
        """Words seen at least ``min_count`` times, by frequency then alphabet, so it is the same on every machine.

        ``<UNK>`` is added at the end when a word was cut, or as ``needs_unknown`` says.
        """
        kept = sorted((word for word, count in counts.items() if count >= min_count), key=lambda w: (-counts[w], w))
        if needs_unknown is None:
            needs_unknown = len(kept) < len(counts)
        return cls([*kept, UNKNOWN] if needs_unknown and UNKNOWN not in kept else kept)

    def __len__(self) -> int:
        """V, the number of words, ``<UNK>`` included."""
        return len(self.words)

    def __contains__(self, word: str) -> bool:
        return word in self._ids

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.words == other.words

    __hash__ = None  # type: ignore[assignment]

    @property
    def start(self) -> int:
        return len(self.words) + 1

    @property
    def unknown(self) -> int | None:
        """The id of ``<UNK>``, or None when the vocabulary has none."""
        return self._ids.get(UNKNOWN)

    def encode(self, words: Iterable[str]) -> list[int]:
        """Ids of the words, without START or END; unknown words become ``<UNK>``, or are left out if there is none."""
        ids = (self._ids.get(word, self.unknown) for word in words)
        return [index for index in ids if index is not None]

    def decode(self, tokens: Iterable[int]) -> str:
        """The caption of a row of ids, up to its first END."""
        words = []
        for token in tokens:
            if int(token) == END:
                break
            words.append(self.words[int(token) - 1])
        return " ".join(words)
