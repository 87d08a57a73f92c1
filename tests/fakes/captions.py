"""Seeded sentences in the manner of image captions, and what the COCO caption evaluation says about them."""

import random

ADJECTIVES = "a small, a large, the red, a blue striped, an old, two, some, a young, the wooden, many, a white"
NOUNS = "dog, man, woman, group of people, t-shirt, frisbee, tennis racket, train, bird, car, tree, wall, street sign"
VERBS = "standing, sitting, is riding, jumps, walks, running, that is parked, looks out, holding something, plays"
PLACES = "on the grass, next to a river, in front of a building, at night, near the ocean, on top of a table"


def caption(random_numbers: random.Random) -> str:
    parts = [random_numbers.choice(words.split(", ")) for words in (ADJECTIVES, NOUNS, VERBS, PLACES)]
    return " ".join(parts[: random_numbers.choice([2, 3, 4, 4, 4])])


def split(count: int, seed: int = 0, references: int | None = 5) -> tuple[list[str], list[list[str]]]:
    """Candidates and references of ``count`` images; ``references=None`` gives each image 1 to 6 of them."""
    numbers = random.Random(seed)
    others = [[caption(numbers) for _ in range(references or numbers.randint(1, 6))] for _ in range(count)]
    candidates = [numbers.choice(own) if numbers.random() < 0.3 else caption(numbers) for own in others]
    return [_worn(text, numbers) for text in candidates], others


def _worn(text: str, numbers: random.Random) -> str:
    """The caption with a few words left out, repeated or moved."""
    words = text.split()
    for _ in range(numbers.randint(0, 3)):
        place = numbers.randrange(len(words))
        words[place:place] = numbers.choice([[], [words[place]], [numbers.choice(words)], ["unseen"]])
        if len(words) > 2:
            del words[numbers.randrange(len(words))]
    return " ".join(words)
