"""Words of a caption as the Penn Treebank tokenizer of the COCO caption evaluation cuts them, without Java.

Written from the behaviour of ``PTBTokenizer -preserveLines -lowerCase`` (Stanford CoreNLP 3.4.1, as pycocoevalcap 1.2
calls it), which is also what it is tested against. What that tool does, oddities included:

* everything is lower-cased; "n't", "'s" and their like are words of their own, "cannot" is "can not";
* the punctuation of ``PUNCTUATION`` is dropped, brackets are not: "(" is the word "-lrb-"; neither is "!!";
* abbreviations and single letters keep their period: "st.", "p.m.", a caption's last word "a.";
* "½" is "1/2", "£" is "#", "€" is "$", "¢" is "cents"; "3 1/4" is one word around a no-break space.

Its wrapper there lets a line break inside one caption shift all captions that follow; here it is a space. It also looks
for the next sentence in the next caption: "on a." loses its period there when that begins with "The". Here each caption
is cut as if it were the only one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

#: Dropped from the output, as the COCO evaluation does.
PUNCTUATION = frozenset(["''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"])

#: Signs spelt out. The evaluation means to drop the brackets too, but looks for them in upper case.
_SIGNS = {"(": "-lrb-", ")": "-rrb-", "{": "-lcb-", "}": "-rcb-", "[": "-lsb-", "]": "-rsb-"}
_SIGNS |= {"£": "#", "€": "$", "¤": "$", "¢": "cents", "&amp;": "&", "&lt;": "<", "&gt;": ">"}
_SIGNS |= {"½": "1/2", "¼": "1/4", "¾": "3/4", "⅓": "1/3", "⅔": "2/3", "–": "--", "\u2014": "--", "―": "--", "…": "..."}
_QUOTES = {"“": "``", "”": "''", "‘": "`", "’": "'", "‛": "`", '"': "''", "«": "``", "»": "''", "‹": "`", "›": "'"}

#: Words cut in two after so many letters.
_CUT_WORDS = {"cannot": 3, "gonna": 3, "gotta": 3, "wanna": 3, "gimme": 3, "lemme": 3, "'tis": 2, "'twas": 2}

_CLITICS = frozenset(["n't", "'s", "'m", "'d", "'re", "'ve", "'ll"])

#: Patterns of whole words, to be followed by a period.
_ABBREVIATIONS = """
    adj|adm|adv|al|ala|alex|apr|ariz|assn|assoc|asst|atty|aug|ave|bhd|bldg|blvd|brig|bros|calif|capt|cf|cie|cmdr|co|
    col|colo|comdr|conn|corp|cos|cpl|ct|dak|dec|dept|det|dr|drs|elec|ens|esq|est|etc|ext|feb|fla|fri|ft|ga|gen|gov|
    govs|hon|inc|ind|insp|intl|invt|jan|jos|jr|jul|jun|kan|kans|ky|lieut|lt|ltd|maj|mar|md|messrs|mfg|mich|minn|mlle|
    mme|mo|mon|mont|mr|mrs|ms|msgr|mt|mtg|natl|neb|nev|nov|oct|okla|penn|pfc|ph|plc|ppte|ppty|pres|prof|pte|ptes|pty|
    ptys|pvt|rd|rep|reps|rev|rt|sen|sens|sep|sept|seq|sfc|sgt|spc|sq|sr|st|ste|supt|sys|tel|tenn|thu|tue|tues|univ|va|
    vs|vt|wed|wis|wisc|wm|wyo|ph[.]d
"""
#: Names of states that are ordinary words when written small.
_STATES = "Ark|Az|Del|Ill|La|Mass|Miss|Ore|Pa|Tex|Wash|ARK|AZ|DEL|ILL|LA|MASS|MISS|ORE|PA|TEX|WASH"

# The places where words depend on what follows a space. Private characters then stand for the space and the dot.
_SPACE, _DOT = "\ue000", "\ue001"
_MIXED_NUMBER = re.compile(r"(?<![\w.,:/-])([0-9]+) ([0-9]+/[0-9]+)(?![\w/])")
_BEFORE_NUMBER = "art|ca|figs?|nos?|op|pp|prop"
_NUMBER_SIGN = re.compile(rf"\b({_BEFORE_NUMBER})\.(?= [0-9])", re.IGNORECASE)
#: Before these, capitalized, the period of a single letter ends a sentence.
_STARTERS = str.split(
    """a about according additionally after an as at but earlier he her here however if in it last many more now once
    one other she so some such that the their then there these they this we what when while yet you"""
)
_LETTER_AT_END = re.compile(
    rf"(?<![\w.])([a-zA-Z])\.(?=\s+(?:{'|'.join(f'{word.capitalize()}|{word.upper()}' for word in _STARTERS)})(?:\s|$))"
)
_RESTORE = str.maketrans({_SPACE: "\xa0", _DOT: ".", "(": "-lrb-", ")": "-rrb-"})  # brackets within smileys

_L = r"[^\W\d_²³¹½¼¾⅓⅔]"  # a letter
_W = r"(?:[^\W_²³¹½¼¾⅓⅔]|[\u0300-\u036f\ue001])"  # a letter with its accents, or a digit
_END = rf"(?!{_W})"
_APOSTROPHE = "['’]"

#: In order of precedence; what none of them takes is a token of one character.
_PATTERNS = {
    "quotes": "``|''",
    "address": r"""https?://[^\s"<>|(){}]*[^\s"<>|(){}.!?,;] | www\.(?:[^\s"<>|.!?()\[\],]+\.)+[a-zA-Z]{2,4}""",
    "mail, tag": r"[\w.+-]{0,64}\w@\w[\w-]*(?:\.\w+)* | @[a-zA-Z_]\w* | \#[a-zA-Z_]+ | </?[a-zA-Z!?][^\s<>]*>",
    "entity": "&(?:amp|lt|gt);",
    "smiley": rf"[<>]?[:;=]['*-]?[()DPpdO@\[\]]{_END}",
    "clitic": rf"{_APOSTROPHE}(?:[sSmMdD]|re|ve|ll|RE|VE|LL){_END} | [nN]{_APOSTROPHE}[tT]{_END}",
    "short form": rf"{_APOSTROPHE}(?:n{_APOSTROPHE}|em|till?|(?:n|cause|tis|twas|[0-9]0s|[0-9][0-9](?!\S)){_END})",
    "name with apostrophe": rf"""(?:(?:{_W}+-)*(?:(?i:o'clock|d'ye)(?:-{_W}+)* | (?i:[dlon]){_APOSTROPHE}{_L}{{2,}})
        | {_L}+(?i:[aeiouy]{_APOSTROPHE}[aeiou]){_L}* | (?i:ma'am|c'mon|n?e'er)){_END}
        | (?i:[jy]){_APOSTROPHE}(?={_L}{{2}}) | (?i:[dl]|ol){_APOSTROPHE}{_END}""",
    "abbreviation": rf"""(?:{_W}+-)*(?:{_L}\.)+{_L}(?:\.(?!{_L})|(?![\w.]))(?:-{_W}+)*
        | (?:(?i:{_ABBREVIATIONS})|{_STATES})\.{_END}(?:-{_L}{_W}*)* | [a-zA-Z]\.(?!{_L})
        | (?i:{_BEFORE_NUMBER})\.(?=[,;:-])(?:-{_W}+)*""",
    "joined capitals": r"(?:[A-Z]+&)+[A-Z]+ | [A-Z]{1,3}\$",
    "number": rf"""[+-]?[0-9]+:[0-9]+(?![.,:]?[0-9]) | [+-]?[0-9]+(?:[.,:][0-9]+)+(?:[-/]{_W}+)*
        | [.,+-][0-9]+(?:[.,:/-][0-9]+)* | [0-9]+{_SPACE}[0-9]+/[0-9]+""",
    "word": rf"""{_W}+?(?=[nN]{_APOSTROPHE}[tT]{_END}) | {_L}+(?:\.{_L}{_W}*)+ | {_W}+(?:[!?]{_W}+)+
        | {_W}+(?:/{_W}+)+(?=-[0-9]) | {_W}+(?:[/_-]{_W}+)*""",
    "run": r"[“”‘’]{2} | \.+ | --+ | [!?]+ | \*+ | _+ | \S",
}
_TOKENS = re.compile(" | ".join(f"(?:{pattern})" for pattern in _PATTERNS.values()), re.VERBOSE)


def tokenize(caption: str) -> list[str]:
    """The lower-case words of a caption; an empty list when it holds nothing but punctuation."""
    if not caption.isascii() or not caption.isprintable():
        caption = _plain_spaces(caption)
    if any(map(str.isdigit, caption)):
        caption = _MIXED_NUMBER.sub(rf"\1{_SPACE}\2", caption)
        caption = _NUMBER_SIGN.sub(rf"\1{_DOT}", caption)
    if ". " in caption:
        caption = _LETTER_AT_END.sub(r"\1 .", caption)
    words: list[str] = []
    for chunk in caption.split():
        words += _chunk_words(chunk)
    return words


def tokenize_all(captions: Iterable[str]) -> list[str]:
    """Every caption's words joined by single spaces, the form in which the caption metrics take them."""
    return [" ".join(tokenize(caption)) for caption in captions]


@lru_cache(maxsize=1 << 16)
def _chunk_words(chunk: str) -> tuple[str, ...]:
    """Words of a stretch without white space; captions repeat these so much that they are worth remembering."""
    return tuple(word for token in _TOKENS.findall(chunk) for word in _spelt(token) if word not in PUNCTUATION)


def _spelt(token: str) -> tuple[str, ...]:
    """A token as the tool writes it: usually one word."""
    lower = token.lower()
    if lower in _CUT_WORDS:
        return lower[: _CUT_WORDS[lower]], lower[_CUT_WORDS[lower] :]
    if token in _SIGNS:
        return (_SIGNS[token],)
    if token[0] in _QUOTES and all(quote in _QUOTES for quote in token):
        return ("".join(_QUOTES[quote] for quote in token),)  # two at once become one word, if they are not alike
    if len(token) > 1 and token[0] in ".-" and not token.strip(token[0]):
        return ()
    if "’" in lower and lower.replace("’", "'") in _CLITICS:
        lower = lower.replace("’", "'")
    return (lower.translate(_RESTORE),)


def _plain_spaces(caption: str) -> str:
    """White space of every kind and control characters become spaces, what cannot be seen goes."""
    visible = caption.replace("\xad", "").replace("\ufeff", "")
    return "".join(letter if letter.isprintable() else " " for letter in visible)
