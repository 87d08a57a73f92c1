"""Phrases to words: the 2016 rules, and every script survives."""

import string
import sys
import unicodedata

import pytest

from densecap.text.cleaning import REPLACEMENTS, clean_words, storable_text
from densecap.text.flip import flip_words, flipped_token_ids
from densecap.text.vocabulary import Vocabulary


def words_of_2016(phrase: str) -> list[str]:
    """The 2016 rule as written there, for phrases it could read: replace, lower-case, delete punctuation, split."""
    for old, new in REPLACEMENTS:
        phrase = phrase.replace(old, new)
    phrase.encode("ascii")
    return "".join(c for c in phrase.lower() if c not in string.punctuation).split()


# The expected words were computed from the released code.
@pytest.mark.parametrize(
    ("phrase", "words"),
    [
        ("A man's T-shirt, half-off!", "a mans tshirt halfoff"),
        ("½ of a café", "half of a cafe"),
        ("45° angle", "45 degree angle"),
        ("The dog…  is RUNNING — fast.", "the dog is running fast"),
        ("5¢ coin™ with garçon sûr très", "5cent coin with garcon sur tres"),
        ("", ""),
        (" .,!? ", ""),
    ],
)
def test_phrases_of_2016(phrase: str, words: str) -> None:
    assert clean_words(phrase) == words.split() == words_of_2016(phrase)


def test_every_ascii_character_is_treated_as_in_2016() -> None:
    for code in range(128):
        phrase = f"Red{chr(code)}Car"
        visible = code >= 32 and code != 127
        if visible or chr(code).isspace():
            assert clean_words(phrase) == words_of_2016(phrase)
        else:
            assert clean_words(phrase) == ["redcar"]


@pytest.mark.parametrize(
    ("phrase", "words"),
    [
        ("El niño ‘pequeño’ – ¿dónde?", ["el", "niño", "pequeño", "dónde"]),
        ("man’s “big” hat", ["mans", "big", "hat"]),
        ("CAFÉ", ["cafe"]),
        ("cafe\u0301", ["cafe"]),  # e with a combining accent is é
        ("一只 猫。", ["一只", "猫"]),
        ("लाल गाड़ी", ["लाल", "गाड़ी"]),
        ("naïve\u00a0cat", ["naïve", "cat"]),
        ("happy \U0001f600 face", ["happy", "\U0001f600", "face"]),
        ("soft\u00adware\u200b", ["software"]),
        ("broken \ufffd \ud83d é", ["broken", "e"]),
        ("5 € ²", ["5", "€", "²"]),
    ],
)
def test_other_scripts(phrase: str, words: list[str]) -> None:
    assert clean_words(phrase) == [unicodedata.normalize("NFC", word) for word in words]


def test_every_character_of_unicode_is_survived_and_the_words_can_be_stored() -> None:
    for start in range(0, sys.maxunicode + 1, 4096):
        phrase = "cat ".join(map(chr, range(start, min(start + 4096, sys.maxunicode + 1))))
        words = clean_words(phrase)
        assert words and "\0" not in "".join(words)
        " ".join(words).encode("utf-8")
        storable_text(phrase).encode("utf-8")


def test_cleaning_twice_changes_nothing() -> None:
    for phrase in ("A man's T-shirt!", "CAFÉ — ÇA", "45° İstanbul", "straße ﬁne"):
        words = clean_words(phrase)
        assert clean_words(" ".join(words)) == words


def test_storable_text() -> None:
    assert storable_text("  A red\0 car.\n") == "A red car." and storable_text("\ud83d!") == "?!"


def test_flip_swaps_sides_and_twice_is_the_identity() -> None:
    words = ["the", "left", "hand", "and", "leftmost", "righthand", "cup", "on", "the", "right", "upright", "bright"]
    flipped = flip_words(words)
    assert " ".join(flipped) == "the right hand and rightmost lefthand cup on the left upright bright"
    assert flip_words(flipped) == words


def test_flipped_token_ids() -> None:
    vocabulary = Vocabulary(["cup", "left", "leftmost", "right", "<UNK>"])
    # END, cup, left -> right, leftmost (no rightmost known) stays, right -> left, <UNK>, START
    assert flipped_token_ids(vocabulary) == [0, 1, 4, 3, 2, 5, 6]
