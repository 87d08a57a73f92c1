"""The batched beam against a plain one that keeps its paths as Python objects."""

import random
from dataclasses import dataclass, replace

import numpy as np
import pytest

from densecap.metrics.meteor.alignment import align
from densecap.metrics.meteor.batch import Batch
from densecap.metrics.meteor.matches import EXACT, PARAPHRASE, SYNONYM, Matches
from densecap.metrics.meteor.ragged import equal_pairs, spread


@dataclass(frozen=True)
class Match:
    module: int
    start: int
    length: int
    other_start: int
    other_length: int

    @property
    def own(self):
        return set(range(self.start, self.start + self.length))

    @property
    def other(self):
        return set(range(self.other_start, self.other_start + self.other_length))

    @property
    def gain(self):
        return 2 if self.module == EXACT else self.length // 2 + self.other_length // 2


@dataclass
class Path:
    chosen: tuple = ()
    gain: int = 0
    closed: int = 0
    distance: int = 0
    open: bool = False

    @property
    def end(self):
        return self.chosen[-1].start + self.chosen[-1].length if self.chosen else 0

    @property
    def order(self):
        return -self.gain, self.closed, self.distance

    def take(self, match):
        last = self.chosen[-1] if self.chosen else None
        follows = self.open and last.other_start + last.other_length == match.other_start
        return replace(
            self,
            chosen=(*self.chosen, match),
            gain=self.gain + match.gain,
            closed=self.closed + (self.open and not follows),
            open=True,
        )

    def skip(self):
        return replace(self, closed=self.closed + self.open, open=False)


def plain_search(length, matches):
    """The best path over the words of a reference, matches tried in the order given."""
    fixed = [m for m in matches if not any(m is not n and (m.own & n.own or m.other & n.other) for n in matches)]
    paths = [Path()]
    for position in range(length):
        grown = []
        for path in paths:
            grown += [path] if path.end > position else children(path, position, matches, fixed)
        paths = sorted(grown, key=lambda path: path.order)[:40]
    return sorted((path.skip() for path in paths), key=lambda path: path.order)[0]


def children(path, position, matches, fixed):
    here = [match for match in fixed if match.start == position]
    if here:
        return [path.take(here[0])]
    used = set().union(*(match.other for match in path.chosen)) if path.chosen else set()
    found = []
    for match in matches:
        if match.start == position and not match.other & used:
            found.append(path.take(match))
            path = replace(path, distance=path.distance + abs(match.start - match.other_start))
    return [*found, path.skip()]


def random_matches(numbers, length, other_length, count):
    """In the order in which matchers list them: by module."""
    found = []
    for _ in range(count):
        module = numbers.choice([EXACT, EXACT, SYNONYM, PARAPHRASE, PARAPHRASE])
        own, other = (numbers.choice([1, 1, 2, 3, 5]) if module == PARAPHRASE else 1 for _ in range(2))
        if own <= length and other <= other_length:
            start, other_start = numbers.randint(0, length - own), numbers.randint(0, other_length - other)
            found.append(Match(module, start, own, other_start, other))
    return sorted(found, key=lambda match: (match.module, match.start))


def batch_of(sizes):
    """Pairs of sentences of given lengths; their words do not matter to the alignment."""
    offsets = np.concatenate(([0], np.cumsum([size for pair in sizes for size in pair])))
    numbers = np.arange(len(sizes))
    words = np.zeros(offsets[-1], np.int64)
    return Batch(np.zeros(1, np.int64), words, offsets, candidates=2 * numbers, references=2 * numbers + 1)


def aligned(sizes, problems):
    listed = [(pair, match) for pair, matches in enumerate(problems) for match in matches]
    rows = [(pair, *vars(match).values()) for pair, match in sorted(listed, key=lambda entry: entry[1].module)]
    columns = np.array(rows, np.int64).reshape(-1, 6).T
    chosen, chunks = align(batch_of(sizes), Matches(*columns))
    found = [[] for _ in sizes]
    for pair, *match in zip(*chosen.columns()):
        found[pair].append(Match(*map(int, match)))
    return found, chunks.tolist()


@pytest.mark.parametrize("longest", [4, 12, 70])
def test_the_same_matches_as_the_plain_search(longest):
    """Pairs of all kinds at once: without matches, overflowing the beam, beyond 64 words of the candidate."""
    numbers = random.Random(longest)
    sizes, problems = [], []
    for _ in range(60):
        other, own = numbers.randint(1, longest), numbers.randint(1, longest)
        sizes.append((other, own))
        problems.append(random_matches(numbers, own, other, numbers.randint(0, 2 * own)))
    found, chunks = aligned(sizes, problems)
    for (_, own), matches, chosen, count in zip(sizes, problems, found, chunks):
        expected = plain_search(own, matches)
        assert chosen == list(expected.chosen)
        assert count == expected.closed


def test_results_do_not_depend_on_the_company_in_a_batch():
    numbers = random.Random(0)
    sizes = [(9, 9)] * 30
    problems = [random_matches(numbers, 9, 9, 14) for _ in sizes]
    together, chunks = aligned(sizes, problems)
    alone = [aligned([size], [problem]) for size, problem in zip(sizes, problems)]
    assert together == [found[0] for found, _ in alone]
    assert chunks == [count[0] for _, count in alone]


def test_a_lone_match_is_taken_and_a_doubtful_one_is_not():
    """Two synonyms of one word: neither adds gain, leaving both out costs no chunk."""
    one, two = Match(SYNONYM, 0, 1, 0, 1), Match(SYNONYM, 0, 1, 1, 1)
    assert aligned([(2, 1)], [[one]]) == ([[one]], [1])
    assert aligned([(2, 1)], [[one, two]]) == ([[]], [0])


def test_nothing_to_align():
    assert aligned([(0, 3), (2, 0)], [[], []]) == ([[], []], [0, 0])


def test_ragged_rows():
    rows, within = spread(np.array([2, 0, 3]))
    assert rows.tolist() == [0, 0, 2, 2, 2]
    assert within.tolist() == [0, 1, 0, 1, 2]
    left, right = equal_pairs(np.array([5, 7, 5]), np.array([10, 11, 12]))
    assert sorted(zip(left.tolist(), right.tolist())) == [(10, 10), (10, 12), (11, 11), (12, 10), (12, 12)]
    assert equal_pairs(np.array([], np.int64), np.array([], np.int64))[0].tolist() == []
