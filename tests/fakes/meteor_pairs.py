"""Seeded pairs of sentences that make METEOR work: inflections, synonyms, paraphrases, repeated words, odd characters.

Every maker takes a ``random.Random`` and a count and yields ``(candidate, [reference, ...])``.
"""

from functools import cache
from random import Random

from densecap.metrics.meteor.index import open_index
from densecap.metrics.meteor.index_build import WORD_BITS
from densecap.metrics.meteor.resources import find_files, synsets

ADJECTIVES, NOUNS, VERBS, PREPOSITIONS, FUNCTION, CROWD, ODD_WORDS = map(
    str.split,
    (
        """large big small little red blue yellow old young tall short wooden happy busy dark bright striped wet dry
        empty full quick fast quiet loud several many two three fluffy furry shiny metallic broken parked open
        closed""",
        """dog cat man woman child kid boy girl person people street road car automobile bicycle bike bus train horse
        sheep goose foot tooth knife leaf box glass bench couch sofa table desk lamp picture photo building house wall
        fence tree bush grass beach shore ocean sea sky cloud shirt jacket coat hat shoe boot ball racket phone computer
        screen plate bowl pizza sandwich cake fruit banana apple bottle cup player rider surfer crowd group
        city store""",
        """walk run jump sit stand ride hold carry eat drink watch look play throw catch swing fly park drive wait smile
        lie lean cross wear cut slice hang move stop hop hope hit go take see""",
        "on in at near beside by under over behind with of from into across next to in front of on top of",
        "a the an is are was and it its his her their that this to of in for not who which one other some",
        "a the an is are was man men people person car cars automobile v1 to one dog dogs in order to no lack of",
        "'' .. ... -- Mr. No. Art. pp. i.e. St. 's 't n't Dr. U.S. e.g. 1990's 1,000 3.14 $5 ||| v1 &amp;",
    ),
)
ODD = [
    *"aabBzZ11s.-',  \"`’“–(é;İß×яΣ一😀𐐀\x1c\x0b\x01\u2028\x85\t\x0c\u3000\u200b%_|/&\n\r\ud800",
    *ODD_WORDS,
    *[" . ", "  ", "\xa0", " dog ", " cats-like ", " the ", " to ", " running ", " large ", " big "],
]


def phrases(numbers: Random, count: int):
    """Region phrases of two to eight words with one reference, sometimes three."""
    for _ in range(count):
        reference = phrase(numbers)
        candidate = phrase(numbers) if numbers.random() < 0.2 else worn(numbers, reference)
        yield candidate, [reference] if numbers.random() < 0.9 else [phrase(numbers), reference, phrase(numbers)]


def captions(numbers: Random, count: int):
    """Captions of about eleven words with five references that tell of the same scene."""
    for _ in range(count):
        scene = [phrase(numbers) for _ in range(numbers.choice([2, 2, 3]))]
        yield worn(numbers, told(numbers, scene)), [worn(numbers, told(numbers, scene)) for _ in range(5)]


def long_sentences(numbers: Random, count: int):
    """Sentences of 15 to 60 words out of the table's own phrases, in the candidate often replaced by paraphrases."""
    for _ in range(count):
        reference, candidate = [], []
        for source, target in (paraphrase(numbers) for _ in range(numbers.randint(4, 14))):
            link = numbers.choice(FUNCTION) if numbers.random() < 0.6 else ""
            reference += [source, link]
            candidate += [target if numbers.random() < 0.6 else source, link]
        start = numbers.randrange(len(candidate)) if numbers.random() < 0.3 else 0
        text = " ".join(" ".join(candidate[start:] + candidate[:start]).split())
        yield worn(numbers, text) if numbers.random() < 0.3 else text, [" ".join(" ".join(reference).split()) + " ."]


def odd_strings(numbers: Random, count: int):
    """Strings of punctuation, abbreviations, control characters, other scripts, and nothing at all."""
    for _ in range(count):
        first, second = odd(numbers), odd(numbers)
        mixed = second[: len(second) // 2] + odd(numbers)
        yield numbers.choice([first, mixed, " "]), numbers.choice([[second], [second, odd(numbers), first], [""]])


def crowded(numbers: Random, count: int):
    """Up to 90 words out of a handful, so that alignments abound and the beam overflows."""
    for _ in range(count):
        own = numbers.sample(CROWD, numbers.choice([3, 6, 12]))
        longest = numbers.choice([6, 12, 30, 90])
        sides = [" ".join(numbers.choices(own, k=numbers.randint(1, longest))) for _ in range(2)]
        yield sides[0], [sides[1]]


def phrase(numbers: Random) -> str:
    words = [numbers.choice(["a", "the", "some", ""]), numbers.choice(ADJECTIVES), inflected(numbers, NOUNS)]
    if numbers.random() < 0.6:
        words += [numbers.choice(["", "is", "are"]), inflected(numbers, VERBS)]
    if numbers.random() < 0.6:
        words += [numbers.choice(PREPOSITIONS), numbers.choice(["a", "the"]), inflected(numbers, NOUNS)]
    return " ".join(word for word in words if word)


def told(numbers: Random, scene: list[str]) -> str:
    order = numbers.sample(scene, len(scene))
    return f" {numbers.choice(['and', 'while', ',', 'with'])} ".join(order) + numbers.choice(["", ".", " ."])


def inflected(numbers: Random, words: list[str]) -> str:
    word = numbers.choice(words)
    return numbers.choice([word, word, word + "s", word.removesuffix("e") + "ing", word + "ed", word + "er"])


def worn(numbers: Random, text: str) -> str:
    """The text with words dropped, doubled, moved, inflected, or replaced by a word of the same synset."""
    words = []
    for word in text.split():
        kind = numbers.random()
        if kind < 0.07:
            continue
        words += [word, word] if kind < 0.1 else [numbers.choice(FUNCTION) if kind < 0.15 else word]
        if kind > 0.8:
            words[-1] = synonym(numbers, word) if kind < 0.92 else word + numbers.choice(["s", "es", "ing", "ed", "er"])
    turn = numbers.randrange(len(words)) if words and numbers.random() < 0.3 else 0
    return " ".join(words[turn:] + words[:turn])


def synonym(numbers: Random, word: str) -> str:
    lemmas, members = _wordnet()
    return numbers.choice(members[numbers.choice(lemmas[word].split())]) if word in lemmas else word


def odd(numbers: Random) -> str:
    return "".join(numbers.choices(ODD, k=numbers.choice([0, 2, 5, 9, 14])))


def paraphrase(numbers: Random) -> tuple[str, str]:
    """A phrase of METEOR's table and one of its paraphrases."""
    index, words, heads = _table()
    node = heads[numbers.randrange(len(heads))]
    row = index.sources[node]
    target = index.paraphrases[numbers.randrange(index.offsets[row], index.offsets[row + 1])]
    return _spell(index, words, int(node)), _spell(index, words, int(target))


def _spell(index, words: list[str], node: int) -> str:
    """The phrase at a node, read from its last word to its first."""
    found: list[str] = []
    while node >= 0:
        found.insert(0, words[(index.edges[node] & ((1 << WORD_BITS) - 1)) - 1])
        node = int(index.edges[node]) >> WORD_BITS
    return " ".join(found)


@cache
def _wordnet():
    lemmas = synsets(find_files())
    members: dict[str, list[str]] = {}
    for lemma, numbers in lemmas.items():
        for number in numbers.split():
            members.setdefault(number, []).append(lemma)
    return lemmas, members


@cache
def _table():
    index = open_index(find_files().paraphrases)
    return index, list(index.words), (index.sources >= 0).nonzero()[0]
