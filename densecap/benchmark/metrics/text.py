"""Seeded text to measure metrics with: region phrases in the manner of Visual Genome, captions in that of COCO."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from random import Random

from densecap.benchmark.metrics.words import ADJECTIVES, EQUALS, LINKS, NOUNS, PREPOSITIONS, VERBS
from densecap.errors import UserError


def phrase(numbers: Random) -> str:
    """About five words: a thing, often where it is or what it does."""
    words = [numbers.choice(["a", "the", "", ""]), *_thing(numbers)]
    if numbers.random() < 0.3:
        words += [numbers.choice(["", "is", "are"]), numbers.choice(VERBS)]
    if numbers.random() < 0.5:
        words += [numbers.choice(PREPOSITIONS), numbers.choice(["a", "the", "the"]), *_thing(numbers)]
    return " ".join(word for word in words if word)


def caption(numbers: Random, scene: Sequence[str]) -> str:
    """About eleven words: the phrases of a scene, each a little different from how others tell of it."""
    parts = [worn(numbers, part) for part in numbers.sample(list(scene), len(scene))]
    return f" {numbers.choice(LINKS)} ".join(part for part in parts if part)


def worn(numbers: Random, text: str, amount: float = 1.0) -> str:
    """The text with words dropped, repeated, inflected, or replaced by others, about one in six each time."""
    words = []
    for word in text.split():
        kind = numbers.random() / amount
        if kind < 0.05:
            continue
        words.append(_other_word(numbers, word, kind) if kind < 0.17 else word)
    return " ".join(words) or text


def caption_sets(count: int, seed: int, references: int = 5) -> tuple[list[str], list[list[str]]]:
    """Candidates and so many references each of ``count`` images; all the words are separated by single spaces."""
    numbers = Random(f"captions {seed}")
    candidates, others = [], []
    for _ in range(count):
        scene = [phrase(numbers) for _ in range(numbers.choice([2, 2, 2, 3]))]
        others.append([caption(numbers, scene) for _ in range(references)])
        candidates.append(caption(numbers, scene))
    return candidates, others


def phrase_pairs(count: int, seed: int, phrases: Sequence[str] = ()) -> list[tuple[str, list[str]]]:
    """Pairs of a worn phrase and the phrase it was, of ``phrases`` and the grammar in turn."""
    numbers = Random(f"phrases {seed}")
    own = [any_phrase(numbers, phrases) for _ in range(count)]
    return [(worn(numbers, text) if numbers.random() < 0.8 else any_phrase(numbers, phrases), [text]) for text in own]


def any_phrase(numbers: Random, phrases: Sequence[str] = ()) -> str:
    """One of ``phrases`` (as often as not, if there are any) or of the grammar."""
    return numbers.choice(phrases) if phrases and numbers.random() < 0.5 else phrase(numbers)


def read_phrases(path: str | Path) -> list[str]:
    """What a table holds in its column ``phrase``. Errors: UserError when there is no such file or column."""
    try:
        with Path(path).expanduser().open(newline="", encoding="utf-8") as file:
            found = [" ".join((row.get("phrase") or "").split()) for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"metrics.phrases={path} cannot be read: {error}") from error
    if not any(found):
        raise UserError(f"metrics.phrases={path} has no phrases: it must be a csv with a column named phrase")
    return [text for text in found if text]


def _thing(numbers: Random) -> list[str]:
    adjectives = numbers.sample(ADJECTIVES, numbers.choice([0, 0, 1, 1, 2]))
    noun = numbers.choice(NOUNS)
    return [*adjectives, f"{noun}s" if numbers.random() < 0.15 else noun]


def _other_word(numbers: Random, word: str, kind: float) -> str:
    if kind < 0.07:
        return f"{word} {word}"
    if word in EQUALS:
        return EQUALS[word]
    if kind < 0.11:
        return word + numbers.choice(["s", "ed", "ing"])
    return numbers.choice(NOUNS)
