"""The words METEOR compares: its own splitting of English punctuation, then lower case.

Written from observed behaviour. Every step is a rewriting of the whole string, and their order matters, down to matches
that do not overlap: ``"a,,b"`` gives ``a , ,b``.
"""

from __future__ import annotations

import re

_LETTERS = "a-zA-Z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u017e\u0400-\u0527\u1d00-\u1d7f\ua640-\ua66e\ua67e-\ua697"
_PLAIN = re.compile("[a-zA-Z0-9 ]*").fullmatch
_BLANKS = re.compile("[ \t\n\f\r]+")
_WIDE_BLANKS = re.compile("[\u00a0\u2000-\u200a\u202f\u205f\u3000]")
_EDGES = "".join(map(chr, range(33)))
_HAS_LETTER = re.compile(f"[{_LETTERS}]").search
_QUOTES = str.maketrans("“”‘’", "\"\"''")

# What must stand in the text for the step to do anything, the step, its replacement.
_STEPS = [
    ("", re.compile(f"([^{_LETTERS}0-9 \t\n\x0b\f\r.'`,\\-])"), r" \1 "),  # every symbol stands alone
    ("–", re.compile("–"), "-"),
    ("..", re.compile(r"(\.\.+)"), r" \1 "),  # but a row of dots stays together
    (",", re.compile("([^0-9]),([^0-9])"), r"\1 , \2"),
    (",", re.compile("([0-9]),([^0-9])"), r"\1 , \2"),
    (",", re.compile("([^0-9]),([0-9])"), r"\1 , \2"),
    ("--", re.compile("--"), "-"),
    ("`", re.compile("`"), "'"),
    ("''", re.compile("''"), ' " '),
    ("'", re.compile(f"([^{_LETTERS}])'([^{_LETTERS}])"), r"\1 ' \2"),
    ("'", re.compile(f"([^{_LETTERS}0-9])'([{_LETTERS}])"), r"\1 ' \2"),
    ("'", re.compile(f"([{_LETTERS}])'([^{_LETTERS}])"), r"\1 ' \2"),
    ("'", re.compile(f"([{_LETTERS}])'([{_LETTERS}])"), r"\1 '\2"),  # "it's": it 's
    ("'", re.compile("([0-9])'(s)"), r"\1 '\2"),  # "the 1990's"
    ("-", re.compile(f"([{_LETTERS}0-9.])-([{_LETTERS}0-9])"), r"\1 \2"),
]


def clean(text: str) -> str:
    """The caption as one field of one line: ``|||``, line ends and broken surrogates cannot stand in it.

    The scorer's protocol gives ``|||`` and line ends a meaning of their own. Here each becomes a space, and half of a
    surrogate pair a question mark.
    """
    if "|||" in text or "\n" in text or "\r" in text:
        text = text.replace("|||", " ").replace("\n", " ").replace("\r", " ")
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


class Normalizer:
    """Turns a caption into METEOR's words; ``abbreviations`` says which words keep their dot (see resources)."""

    def __init__(self, abbreviations: dict[str, bool]) -> None:
        self.abbreviations = abbreviations

    def __call__(self, text: str) -> list[str]:
        if _PLAIN(text):
            return text.lower().split()
        text = f" {clean(text).strip(_EDGES).translate(_QUOTES)} "
        for needed, pattern, replacement in _STEPS:
            if needed in text:
                text = pattern.sub(replacement, text)
        text = _WIDE_BLANKS.sub(" ", self._split_dots(text))
        return [word for word in _BLANKS.split(text.strip(_EDGES).lower()) if word]

    def _split_dots(self, text: str) -> str:
        """A dot that ends a word stands alone, save after abbreviations and before words in lower case."""
        if "." not in text:
            return text
        words = _BLANKS.split(text)
        followers = [*words[1:], ""]
        pairs = zip(words, followers)
        return " ".join([self._split_dot(*pair) if pair[0].endswith(".") else pair[0] for pair in pairs])

    def _split_dot(self, word: str, follower: str) -> str:
        if word == "." or word.endswith(".."):
            return word
        stem = word[:-1]
        if "." in stem and _HAS_LETTER(stem):
            return word.replace(".", "")  # "U.S." becomes us
        if "a" <= follower[:1] <= "z":
            return word
        only_before_number = self.abbreviations.get(stem)
        if only_before_number is None or (only_before_number and not "0" <= follower[:1] <= "9"):
            return f"{stem} ."
        return word
