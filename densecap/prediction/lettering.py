"""Captions as lines of text in a font that has their letters."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from PIL import ImageFont
from PIL.ImageFont import FreeTypeFont
from PIL.ImageFont import ImageFont as BitmapFont

Font = FreeTypeFont | BitmapFont

#: Fonts that are looked for on the machine, in this order, when the one inside Pillow lacks a letter (it has ASCII).
WIDER_FONTS = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "LiberationSans-Regular.ttf",
    "Arial Unicode.ttf",
    "Arial.ttf",
    "arial.ttf",
    "NotoSansCJK-Regular.ttc",
    "PingFang.ttc",
    "msyh.ttc",
    "unifont.ttf",
)


def readable(caption: str) -> str:
    """The caption on one line: blanks instead of other white space, no control characters."""
    kept = (" " if letter.isspace() else letter for letter in caption if letter.isprintable() or letter.isspace())
    return " ".join("".join(kept).split())


def choose_font(text: str, size: int) -> tuple[Font, str]:
    """A font of ``size`` pixels and the text to write with it.

    Pillow's own font is used where it has all letters, else the first of ``WIDER_FONTS`` that does. When none does,
    accents are dropped, and letters that are still missing show as the font's empty box.
    """
    letters = "".join(sorted(set(text) - {" "}))
    own = _bundled(size)
    if _has(own, letters):
        return own, text
    for name in WIDER_FONTS:
        font = _installed(name, size)
        if font is not None and _has(font, letters):
            return font, text
    decomposed = unicodedata.normalize("NFKD", text)
    return own, "".join(letter for letter in decomposed if not unicodedata.combining(letter))


@lru_cache(maxsize=32)
def _bundled(size: int) -> Font:
    return ImageFont.load_default(size=size)


@lru_cache(maxsize=64)
def _installed(name: str, size: int) -> Font | None:
    try:
        return ImageFont.truetype(name, size)
    except OSError:
        return None


@lru_cache(maxsize=4096)
def _has(font: Font, letters: str) -> bool:
    """Whether the font draws each letter as something else than its sign for a missing one."""
    if letters.isascii():
        return True
    try:
        missing = bytes(font.getmask("\uffff"))
        return all(bytes(font.getmask(letter)) != missing for letter in letters)
    except (OSError, UnicodeError, ValueError):  # a bitmap font has no other letters
        return False


def wrap(text: str, font: Font, width: float, max_lines: int) -> list[str]:
    """Lines no wider than ``width`` pixels, broken between words and, where one is too long, within it.

    Beyond ``max_lines`` the last line ends in three dots.
    """
    lines: list[str] = []
    for word in text.split():
        if lines and font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] = f"{lines[-1]} {word}"
            continue
        lines.extend(_split_word(word, font, width))
    if len(lines) > max_lines:
        lines = lines[:max_lines]
        while len(lines[-1]) > 1 and font.getlength(lines[-1] + "...") > width:
            lines[-1] = lines[-1][:-1]
        lines[-1] = lines[-1].rstrip() + "..."
    return lines


def _split_word(word: str, font: Font, width: float) -> list[str]:
    pieces = [""]
    for letter in word:
        if pieces[-1] and font.getlength(pieces[-1] + letter) > width:
            pieces.append("")
        pieces[-1] += letter
    return pieces


def line_height(font: Font) -> int:
    """Pixels from one line to the next."""
    if isinstance(font, FreeTypeFont):
        return sum(font.getmetrics())
    return int(font.getbbox("Ag")[3]) + 2
