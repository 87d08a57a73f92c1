"""Which words share a WordNet synset, inflected forms included."""

from __future__ import annotations

# Tried in this order; the first that yields a known lemma is the word's base form.
_ENDINGS = (
    ("s", ""),
    ("men", "man"),
    ("ies", "y"),
    ("es", ""),
    ("ed", "e"),
    ("ed", ""),
    ("ing", "e"),
    ("ing", ""),
    ("er", ""),
    ("est", ""),
    ("er", "e"),
    ("est", "e"),
)


class WordNet:
    """Synsets of words: ``synsets`` maps a lemma to numbers, ``irregular`` a form to its lemmas (see resources)."""

    def __init__(self, synsets: dict[str, str], irregular: dict[str, list[str]]) -> None:
        self._synsets = synsets
        self._irregular = irregular

    def __call__(self, word: str) -> set[int]:
        """The numbers of the word's own synsets and of those of its base form."""
        lemmas = [word, *self.base_forms(word)]
        return {int(number) for lemma in lemmas for number in self._synsets.get(lemma, "").split()}

    def base_forms(self, word: str) -> list[str]:
        """The lemmas of an irregular form, whether known or not; else the known lemma of a regular one, if any."""
        if word in self._irregular:
            return self._irregular[word]
        if len(word) < 3 or word.endswith("ss"):
            return []
        for ending, replacement in _ENDINGS:
            if word.endswith(ending):
                base = word[: len(word) - len(ending)] + replacement
                if base in self._synsets:
                    return [base]
        return []
