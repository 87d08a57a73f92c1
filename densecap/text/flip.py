"""What a left-right flip of the image does to the words."""

from __future__ import annotations

from collections.abc import Iterable

from densecap.text.vocabulary import Vocabulary

#: Endings of the compounds that name a side: leftmost, righthand (cleaning writes "right-hand" so).
_ENDINGS = ("", "s", "most", "hand", "handed", "side", "ward", "wards", "ish")
_SWAPS = {f"left{ending}": f"right{ending}" for ending in _ENDINGS}
_SWAPS |= {right: left for left, right in _SWAPS.items()}


def flip_words(words: Iterable[str]) -> list[str]:
    """The words with left and right swapped; "left over" and "right angle" cannot be told apart and swap too."""
    return [_SWAPS.get(word, word) for word in words]


def flipped_token_ids(vocabulary: Vocabulary) -> list[int]:
    """V + 2 ids: at a token's place the token that replaces it in a flipped image (END and START stay themselves).

    ``table[tokens]`` flips a whole matrix at once, and twice is the identity: a word whose counterpart is not in the
    vocabulary stays as it is.
    """
    table = list(range(len(vocabulary) + 2))
    for index, word in enumerate(vocabulary.words, start=1):
        other = _SWAPS.get(word)
        if other is not None and other in vocabulary:
            table[index] = vocabulary.encode([other])[0]
    return table
