"""How METEOR splits text into words: expectations printed by the Java scorer's own alignment files."""

import pytest

from densecap.metrics.meteor.normalizer import Normalizer, clean
from densecap.metrics.meteor.resources import abbreviations, find_files

EXPECTED = {
    "Hello, world. It's Mr. Smith's dog-house.": "hello , world . it 's mr. smith 's dog house .",
    "A man -- on the  beach": "a man - on the beach",
    "1,000 dogs,cats, 3,x": "1,000 dogs , cats , 3 , x",
    "a,,b": "a , ,b",
    "U.S.-based U.S. a.b.c no.1": "us based us a.b.c no.1",
    "No. 1 No. x No. X. vs. X": "no. 1 no. x no . x. vs. x",
    "the end. next starts": "the end. next starts",
    "the end. Next starts": "the end . next starts",
    "wait... what..": "wait ... what ..",
    "the 1990's, dogs' can't 'quoted' 12's": "the 1990 's , dogs ' can 't ' quoted ' 12 's",
    "“a” ‘b’ ``c'' a–b a—b": '" a " \' b \' " c " a - b a — b',
    "$5 (50%) a/b_c": "$ 5 ( 50 % ) a / b _ c",
    "Ünï café 日本 я׳": "ünï café 日 本 я ׳",
    "a\u00a0b\u3000c\td": "a b c d",
    "x\u2028y \x1c z\x1f": "x \u2028 y \x1c z",
    "A b\x0bc\x0b": "a b\x0bc",
    "": "",
    " . ": ".",
}


@pytest.mark.parametrize("text", EXPECTED, ids=repr)
def test_words_are_those_of_the_java_scorer(text):
    assert Normalizer(abbreviations(find_files()))(text) == [word for word in EXPECTED[text].split(" ") if word]


def test_protocol_signs_become_spaces():
    assert clean("a|||b\nc\rd") == "a b c d"
    assert clean("a | b || c") == "a | b || c"
    assert clean("\ud83d half") == "? half"
    normalize = Normalizer({})
    assert normalize("a|||b\r\nc") == ["a", "b", "c"]


def test_abbreviations_are_read_with_their_condition():
    found = abbreviations(find_files())
    assert found["Mr"] is False and found["No"] is True and "#Anything" not in found
