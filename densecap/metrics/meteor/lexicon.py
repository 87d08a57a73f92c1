"""What METEOR knows about single words, looked up once per word and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np


def java_hash(word: str) -> int:
    """Java's hash code of a string, unsigned: the polynomial in 31 of its UTF-16 units, modulo 2**32."""
    value = 0
    for unit in memoryview(word.encode("utf-16-le")).cast("H"):
        value = (value * 31 + unit) & 0xFFFFFFFF
    return value


class Lexicon(dict[str, int]):
    """Numbers words from 0 on as they are asked for, and keeps per word its stem, synsets, kind and table number.

    ``lexicon[word]`` never fails. ``stem`` and ``synsets`` are called once per new word. The Java scorer compares words
    and stems by their hash codes, so that "to" matches "v1"; spellings and stems are therefore hash codes here.
    """

    def __init__(
        self,
        stem: Callable[[str], str],
        synsets: Callable[[str], set[int]],
        function_words: Iterable[str],
        table_words: dict[str, int],
    ) -> None:
        super().__init__()
        self._stem = stem
        self._synsets_of = synsets
        self._function_words = frozenset(function_words)
        self._table_words = table_words
        self.forget()

    def forget(self) -> None:
        """Drop every word, so that memory stays bounded however many words a long evaluation meets."""
        self.clear()
        self._spellings: list[int] = []
        self._stems: list[int] = []
        self._function: list[bool] = []
        self._table: list[int] = []
        self._synsets: list[tuple[int, ...]] = []

    def __missing__(self, word: str) -> int:
        self._spellings.append(java_hash(word))
        self._stems.append(java_hash(self._stem(word)))
        self._function.append(word in self._function_words)
        self._table.append(self._table_words.get(word, 0))
        self._synsets.append(tuple(self._synsets_of(word)))
        self[word] = number = len(self)
        return number

    def spellings(self, words: np.ndarray) -> np.ndarray:
        """The hash codes of words (n,): int64 (n,)."""
        return np.fromiter(map(self._spellings.__getitem__, words), np.int64, len(words))

    def stems(self, words: np.ndarray) -> np.ndarray:
        """The hash codes of the stems of words (n,): int64 (n,)."""
        return np.fromiter(map(self._stems.__getitem__, words), np.int64, len(words))

    def are_function_words(self, words: np.ndarray) -> np.ndarray:
        """Bool (n,) for words (n,)."""
        return np.fromiter(map(self._function.__getitem__, words), np.bool_, len(words))

    def table_numbers(self, words: np.ndarray) -> np.ndarray:
        """The words' numbers in the index of paraphrases, 0 for strangers: int64 (n,)."""
        return np.fromiter(map(self._table.__getitem__, words), np.int64, len(words))

    def synsets(self, words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All memberships of words (n,): positions in ``words`` and synset numbers, both int64 (m,)."""
        sets = [self._synsets[word] for word in words]
        owners = np.repeat(np.arange(len(sets)), [len(numbers) for numbers in sets])
        return owners, np.fromiter((number for numbers in sets for number in numbers), np.int64, len(owners))
