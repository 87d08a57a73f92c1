"""From a phrase as people typed it to words (step 4 of the 2016 preprocessing, made safe for every script).

In order: Unicode composed (NFC), lower-cased, the ten replacements below, punctuation deleted (not replaced by a space:
"T-shirt" is "tshirt"), split on white space. For the phrases the 2016 code could read, the words are the same. It
stopped at any other character outside ASCII; here

* letters, marks, digits and symbols of every script stay: "señor", "猫", "5 €";
* punctuation outside ASCII goes like that inside: curly quotes, dashes, "¿", also accents that stand alone and are
  typed as apostrophes ("man´s");
* what cannot be seen goes: control and formatting characters, half surrogates, the replacement character of a broken
  encoding (joiners stay, scripts need them).
"""

from __future__ import annotations

import string
import unicodedata

#: Applied one after the other, as in 2016. The dash is then deleted with the ASCII punctuation.
REPLACEMENTS = (
    ("½", "half"),
    ("—", "-"),
    ("™", ""),
    ("¢", "cent"),
    ("ç", "c"),
    ("û", "u"),
    ("é", "e"),
    ("°", " degree"),
    ("è", "e"),
    ("…", ""),
)

_ASCII_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ASCII_INVISIBLE = dict.fromkeys([*range(9), *range(14, 28), 127])  # the other control characters are white space
_ASCII_DELETED = {**_ASCII_PUNCTUATION, **_ASCII_INVISIBLE}
_DELETED_CATEGORIES = frozenset({"Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sk", "Cc", "Cf", "Cs"})
_JOINERS = "\u200c\u200d"
_REPLACEMENT_CHARACTER = "\ufffd"


def clean_words(phrase: str) -> list[str]:
    """The words of a phrase; an empty list when nothing but punctuation or white space is in it."""
    if phrase.isascii():
        return phrase.lower().translate(_ASCII_DELETED).split()
    text = unicodedata.normalize("NFC", phrase).lower()
    for old, new in REPLACEMENTS:
        text = text.replace(old, new)
    kept = "".join(filter(_is_kept, text))
    return unicodedata.normalize("NFC", kept).split()


def _is_kept(character: str) -> bool:
    if character.isascii():
        return ord(character) not in _ASCII_DELETED
    if character.isspace() or character in _JOINERS:
        return True
    return character != _REPLACEMENT_CHARACTER and unicodedata.category(character) not in _DELETED_CATEGORIES


def storable_text(phrase: str) -> str:
    """The phrase without surrounding white space, and without the NUL and half surrogates that UTF-8 files refuse."""
    return phrase.replace("\0", "").encode("utf-8", "replace").decode("utf-8").strip()
