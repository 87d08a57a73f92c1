"""From what somebody asks for to words that the model knows."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from torch import Tensor

from densecap.errors import UserError
from densecap.text.cleaning import clean_words
from densecap.text.token_matrix import token_matrix
from densecap.text.vocabulary import Vocabulary

#: Parts a question into phrases, each about a region of its own.
SEPARATOR = ";"


@dataclass(frozen=True)
class Query:
    """``phrases``, each as its known words; ``tokens`` (Q, T) their ids, padded with 0; ``unknown`` words left out."""

    phrases: list[str]
    tokens: Tensor
    unknown: list[str]


def read_query(text: str, vocabulary: Vocabulary, max_length: int | None = None) -> Query:
    """The phrases of a question, as "a red car; a man with a hat".

    Words that the model never learned are left out. Errors: UserError when a phrase has no word left, or more than
    ``max_length``.
    """
    phrases, rows, unknown = [], [], []
    for part in (part for part in text.split(SEPARATOR) if part.strip()):
        words = clean_words(part)
        known = [word for word in words if word in vocabulary]
        unknown += [word for word in words if word not in vocabulary]
        if not known:
            raise UserError(f"the model knows no word of {part.strip()!r}{_nearest(words, vocabulary)}")
        if max_length is not None and len(known) > max_length:
            raise UserError(
                f"a phrase has at most {max_length} words for this model, {part.strip()!r} has {len(known)}"
            )
        phrases.append(" ".join(known))
        rows.append(vocabulary.encode(known))
    if not rows:
        raise UserError('query is empty: say what to look for, as in query="a red car"')
    return Query(phrases, token_matrix(rows), list(dict.fromkeys(unknown)))


def _nearest(words: list[str], vocabulary: Vocabulary) -> str:
    near = [match for word in words for match in get_close_matches(word, vocabulary.words, n=2)]
    return f"; did you mean {' or '.join(dict.fromkeys(near))}?" if near else ""
