"""METEOR as a user meets it: figures worked out by hand, empty and odd captions, several processes, what is missing."""

import random
import subprocess
import sys

import numpy as np
import pytest

from densecap.errors import UserError
from densecap.metrics.meteor import Meteor, MeteorUnavailable, corpus_score, corpus_statistics, resources, scores
from densecap.metrics.meteor.batch import batches
from densecap.metrics.meteor.lexicon import Lexicon, java_hash
from densecap.metrics.meteor.team import Team
from densecap.metrics.meteor.wordnet import WordNet
from tests.fakes.meteor_pairs import captions, phrases


@pytest.fixture(scope="module")
def meteor():
    with Meteor() as scorer:
        yield scorer


def test_score_by_hand(meteor):
    """the (function) and dog (content) of three words against four match in one chunk:
    P = (.75 + .25) / (2 * .75 + .25), R = (.75 + .25) / (3 * .75 + .25), fragmentation 1 / 2."""
    mean = 1 / (0.15 / (1 / 1.75) + 0.85 / (1 / 2.5))
    assert meteor.score_pairs([("the dog zzz", ["xxx the dog yyy"])])[0] == pytest.approx(
        mean * (1 - 0.6 * 0.5**0.2), abs=1e-15
    )


def test_module_weights_by_hand(meteor):
    """Alone, a stem counts .6, a synonym .8 and a paraphrase .6 of an exact word; everything matches in one chunk."""
    items = [("zorbs", ["zorb"]), ("sofa", ["lounge"]), ("join", ["stick with"]), ("zorbs sofa", ["zorb lounge"])]
    assert meteor.score_pairs(items) == pytest.approx([0.6, 0.8, 0.6, 0.7])


def test_statistics_name_words_and_chunks(meteor):
    row = meteor.statistics("the dog runs", ["a cat", "runs the dog"])
    assert row[:4].tolist() == [3, 3, 1, 1]
    assert row[4:8].tolist() == [2, 2, 1, 1]
    assert row[20:].tolist() == [2, 3, 3]


def test_the_first_of_equally_good_references_counts(meteor):
    assert meteor.statistics("x", ["a b", "a"])[1] == 2
    assert meteor.statistics("x", ["a", "a b"])[1] == 1
    assert meteor.statistics("a dog", ["a dog runs", "a dog", "a dog"])[1] == 2


def test_empty_captions_score_nothing(meteor):
    items = [("", ["a dog"]), ("a dog", [""]), ("", [""]), (" \n ", ["a", "b"]), ("a dog", ["", "a dog"])]
    assert meteor.score_pairs(items).tolist() == [0, 0, 0, 0, 1]
    assert meteor.score_pairs([("", [""])]).tolist() == [0]
    assert meteor.score_pairs([]).shape == (0,)
    assert meteor.corpus([]) == 0


def test_separators_and_line_ends_count_as_spaces(meteor):
    assert meteor.score_pairs([("a|||dog\nruns\r", ["a dog runs"])]).tolist() == [1]
    assert meteor.score_pairs([("||| SCORE |||", ["score"])]).tolist() == [1]


def test_case_and_spacing_do_not_matter(meteor):
    assert meteor.score_pairs([(" A  DOG ", ["a dog"]), ("a dog", ["A\tdog"])]).tolist() == [1, 1]


def test_words_are_compared_by_hash_code_as_in_java(meteor):
    assert java_hash("to") == java_hash("v1") == 3707
    assert java_hash("😀") == 0xD83D * 31 + 0xDE00
    assert meteor.score_pairs([("v1", ["v1"]), ("v2", ["v1"])]).tolist() == [1, 0]
    assert meteor.score_pairs([("v1", ["to"])])[0] > 0


def test_corpus_leaves_out_chunks_of_perfect_segments(meteor):
    items = [("a dog runs", ["a dog runs"]), ("a dog", ["the dog"])]
    rows = meteor.statistics_of(items)
    assert corpus_statistics(rows)[20] == 1
    assert meteor.corpus(items) == corpus_score(rows)
    summed = rows.sum(axis=0)
    assert meteor.corpus(items) > scores(summed)


def test_scores_keep_the_shape_of_their_statistics(meteor):
    rows = meteor.statistics_of(list(phrases(random.Random(0), 6)))
    assert scores(rows.reshape(2, 3, 23)).shape == (2, 3)
    assert scores(rows[0]) == scores(rows)[0]


def test_each_pair_scores_the_same_in_any_company(meteor):
    items = list(captions(random.Random(1), 300))
    together = meteor.statistics_of(items)
    assert np.array_equal(together[::-1], meteor.statistics_of(items[::-1]))
    assert np.array_equal(together[17], meteor.statistics(*items[17]))


def test_batches_are_bounded_and_complete(meteor):
    """More pairs and more different words than one batch holds."""
    pairs = [(f"w{number} dog", f"dog v{number}") for number in range(9000)]
    assert (meteor.score_pairs([(left, [right]) for left, right in pairs]) > 0).all()
    lexicon = Lexicon(str.lower, lambda word: set(), [], {})
    sizes = [(len(batch.candidates), len(batch.vocabulary)) for batch in batches(iter(pairs), str.split, lexicon)]
    assert sum(count for count, _ in sizes) == 9000
    assert max(words for _, words in sizes) < 4200


def test_the_lexicon_may_forget_in_the_middle(meteor, monkeypatch):
    items = list(phrases(random.Random(2), 5000))
    expected = meteor.statistics_of(items)
    monkeypatch.setattr("densecap.metrics.meteor.engine._MOST_WORDS", 10)
    assert np.array_equal(meteor.statistics_of(items), expected)


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([("a", ["b"]), ("a", [])], "entry 1 .* at least one reference"),
        ([("a", "b")], "entry 0 .* list"),
        ([(None, ["b"])], "entry 0 .* candidate is None"),
        ([("a", ["b", 3])], "entry 0 .* reference is 3"),
    ],
)
def test_bad_entries_are_named(meteor, items, message):
    with pytest.raises(UserError, match=message):
        meteor.score_pairs(items)


def test_bad_settings_are_named():
    with pytest.raises(UserError, match="use python or jar"):
        Meteor(backend="perl")
    with pytest.raises(UserError, match="processes=0"):
        Meteor(processes=0)


def test_what_is_missing_is_one_sentence(monkeypatch):
    monkeypatch.setattr(resources, "find_spec", lambda name: None)
    monkeypatch.setattr(resources.shutil, "which", lambda *_, **__: None)
    with pytest.raises(MeteorUnavailable, match=r"install densecap\[meteor\]"):
        Meteor()
    with pytest.raises(MeteorUnavailable, match="backend=python"):
        resources.find_java()


def test_a_missing_stemmer_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "snowballstemmer.english_stemmer", None)
    with pytest.raises(MeteorUnavailable, match="snowballstemmer"):
        Meteor()


def test_a_damaged_archive_is_named(tmp_path):
    (tmp_path / "meteor.jar").write_text("not an archive")
    with pytest.raises(MeteorUnavailable, match="damaged"):
        resources.MeteorFiles(tmp_path / "meteor.jar", tmp_path).lines("function/english.words")


def test_importing_loads_neither_torch_nor_data():
    code = "import sys, densecap.metrics.meteor; sys.exit(bool({'torch', 'snowballstemmer'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True)


WORDNET = WordNet(
    {"dog": "1", "go": "2", "lady": "3", "ladi": "4", "hope": "5", "hop": "6", "fireman": "7", "big": "8", "be": "9"},
    {"went": ["go"], "oxen": ["ox"], "axes": ["ax", "axis"]},
)


@pytest.mark.parametrize(
    ("word", "base"),
    [
        *[("dogs", ["dog"]), ("ladies", ["lady"]), ("hoping", ["hope"]), ("hops", ["hop"]), ("firemen", ["fireman"])],
        *[("went", ["go"]), ("oxen", ["ox"]), ("axes", ["ax", "axis"]), ("bed", ["be"]), ("dog", []), ("dogss", [])],
        *[("bigger", []), ("is", []), ("quickly", [])],
    ],
)
def test_base_forms(word, base):
    assert WORDNET.base_forms(word) == base


def test_synsets_of_a_word_and_of_its_base():
    assert WORDNET("dogs") == {1}
    assert WORDNET("ladies") == {3}
    assert WORDNET("oxen") == set()


@pytest.mark.long
def test_several_processes_give_the_same_figures(meteor):
    items = list(phrases(random.Random(3), 4000))
    with Meteor(processes=2) as pair:
        assert np.array_equal(pair.statistics_of(items), meteor.statistics_of(items))
        assert np.array_equal(pair.statistics_of(items[:5]), meteor.statistics_of(items[:5]))


@pytest.mark.long
def test_a_dead_worker_is_one_sentence():
    items = list(phrases(random.Random(4), 3000))
    with Team(2) as team:
        team.statistics(items)
        team._workers[0].kill()
        with pytest.raises(UserError, match="METEOR died"):
            team.statistics(items)
