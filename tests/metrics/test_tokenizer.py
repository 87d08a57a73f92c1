"""The tokenizer against the Java one that pycocoevalcap runs, and the places where the two are meant to differ."""

import random

import pytest
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

from densecap.metrics.tokenizer import tokenize, tokenize_all
from tests.fakes.captions import caption
from tests.fakes.java import put_java_on_path

DECORATIONS = """man's woman's dogs' it's isn't can't don't won't they're we've he'd she'll I'm 3 12 2.5 1,000 10:30 3-4
    1/2 50% $5 $3.50 2nd 1990's '90s 4x4 10am 5'10 #3 #tag @home U.S. p.m. a.m. e.g. etc. Mr. Mrs. Dr. St. vs. Jr. w/o
    t-shirt x-ray black-and-white half-eaten 20-year-old U.S.-made and/or red/blue AT&T B&W cannot gonna o'clock y'all
    ma'am café naïve rock 'n' roll w/ <UNK> http://a.org/b 3 1/4 no. 5 No. 5 ½ £5 €7 5¢ it’s “so” ‘such’ :) :-D"""
SIGNS = ["-", "--", "&", "/", "*", "+", "@", "#", "…", "–", "½", "£", "€", "°", "...", "!!", "?!"]
ENDS = ["", ".", "!", "...", " .", "?"]


def decorated(numbers):
    words = []
    for word in caption(numbers).split():
        word = numbers.choice([word, word, word, word.capitalize(), word.upper()])
        word += numbers.choice([*[""] * 12, ",", ";", ":", "!", "-like", "-3", "'s"])
        open_, close = numbers.choice([*['""', "''", "()", "[]", "{}", "“”"], *[("", "")] * 12])
        words.append(f"{open_}{word}{close}")
        if numbers.random() < 0.15:
            words.append(numbers.choice(DECORATIONS.split()))
        if numbers.random() < 0.05:
            words.append(numbers.choice(SIGNS))
    return " ".join(words) + numbers.choice(ENDS)


def java_words(captions, monkeypatch):
    put_java_on_path(monkeypatch)
    found = PTBTokenizer().tokenize({index: [{"caption": text}] for index, text in enumerate(captions)})
    return [found[index][0] for index in range(len(captions))]


def test_plain_captions_are_cut_exactly_like_java(monkeypatch):
    numbers = random.Random(0)
    captions = [caption(numbers) for _ in range(3000)]
    captions = [numbers.choice([text, text.capitalize(), text.upper()]) + numbers.choice(ENDS) for text in captions]
    assert tokenize_all(captions) == java_words(captions, monkeypatch)


def test_decorated_captions_are_cut_like_java(monkeypatch):
    numbers = random.Random(1)
    captions = [decorated(numbers) for _ in range(5000)]
    pairs = list(zip(captions, tokenize_all(captions), java_words(captions, monkeypatch)))
    different = [pair for pair in pairs if pair[1] != pair[2]]
    assert len(different) <= 0.002 * len(captions), different[:10]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The dog's bowl isn't full.", "the dog 's bowl is n't full"),
        ("She cannot, they're gonna", "she can not they 're gon na"),
        ("a man (left) [right]", "a man -lrb- left -rrb- -lsb- right -rsb-"),
        ("wow!! really?!", "wow !! really ?!"),
        ("at 5 p.m. on main st. by a U.S.-made car", "at 5 p.m. on main st. by a u.s.-made car"),
        ("3 1/4 of it, ½ gone", "3\u00a01/4 of it 1/2 gone"),
        ("no. 5 says no.", "no. 5 says no"),
        ("£5 or 5¢", "# 5 or 5 cents"),
        ("“curly” ‘quotes’ it’s", "curly quotes it 's"),
        ("Ünïcode 猫 cafés", "ünïcode 猫 cafés"),
        ("a dog in a. The cat on b. and B. SHE at c. Their", "a dog in a the cat on b. and b she at c their"),
        ("in a. Theo by b. The, at U.S. The", "in a. theo by b. the at u.s. the"),
        ("...", ""),
        ("", ""),
    ],
)
def test_by_hand(text, words):
    assert " ".join(tokenize(text)) == words


def test_single_letters_before_another_sentence_are_cut_like_java(monkeypatch):
    numbers = random.Random(2)
    starts = ["The", "the", "THE", "A", "It", "If", "Old", "Dogs", "These,", "I", "You", "Here"]
    captions = [
        f"{caption(numbers)} {numbers.choice('aBx')}. {numbers.choice(starts)} {caption(numbers)}" for _ in range(500)
    ]
    assert tokenize_all(captions) == java_words(captions, monkeypatch)


@pytest.mark.parametrize("space", ["\n", "\r\n", "\x0b", "\u2028", "\x85", "\t", "\u3000", "\x00", "\u200b"])
def test_a_break_inside_a_caption_is_a_space(space):
    """In the wrapper of the Java tokenizer some of these move every later caption to the wrong image."""
    assert tokenize_all([f"a red{space}dog", "a cat"]) == ["a red dog", "a cat"]
