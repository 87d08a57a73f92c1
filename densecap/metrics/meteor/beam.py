"""The search for an alignment: a beam over the words of the reference, run for many pairs of sentences at once.

A path is a choice of matches for the first words of the reference. Paths are ordered by most gain, then fewest closed
chunks, then least distance, earlier ones first among equals; the best 40 of each pair go on. Details are METEOR's: a
chunk counts once it ends; the distance of a match is booked on the path it grows from, so that it burdens the siblings
tried later and the path that leaves the word unmatched, but not the path that takes the match.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from densecap.metrics.meteor.ragged import spread

_LEFT_OUT = -1


@dataclass(frozen=True)
class BeamProblem:
    """M matches, sorted by pair and start, of C pairs. Everything (M,) unless said otherwise."""

    pair: np.ndarray
    start: np.ndarray  # first word in the reference
    length: np.ndarray
    candidate_start: np.ndarray
    candidate_length: np.ndarray
    gain: np.ndarray
    fixed: np.ndarray  # bool: must be taken
    reference_lengths: np.ndarray  # (C,)
    candidate_lengths: np.ndarray  # (C,)
    names: np.ndarray  # what search returns for a match
    width: int


@dataclass
class _Paths:
    """N paths, sorted by pair, best first."""

    pair: np.ndarray
    gain: np.ndarray
    chunks: np.ndarray  # closed ones
    distance: np.ndarray
    open: np.ndarray  # bool: the last word belongs to a chunk
    next_free: np.ndarray  # first word of the reference beyond the last match
    candidate_end: np.ndarray  # end of the last match in the candidate
    used: np.ndarray  # (N, K) uint64, a bit per word of the candidate

    def take(self, which: np.ndarray) -> _Paths:
        return _Paths(*(column[which] for column in self.__dict__.values()))


def search(problem: BeamProblem) -> np.ndarray:
    """The names of the matches on the best path of every pair."""
    search_table = _Table(problem)
    paths = _roots(problem)
    last = int(problem.reference_lengths.max())
    trail: list[tuple[np.ndarray, np.ndarray]] = []
    ends = np.zeros(len(problem.reference_lengths), np.int64)
    by_length = problem.reference_lengths
    for position in range(last):
        paths, parents, taken = _advance(problem, search_table, paths, position)
        trail.append((parents, taken))
        done = by_length[paths.pair] == position + 1
        if done.any():
            finished = np.flatnonzero(done)
            best = _best(paths.take(finished))
            ends[paths.pair[finished[best]]] = finished[best]
    return problem.names[_walk_back(problem, trail, ends)]


class _Table:
    """Where the matches of each pair and word begin."""

    def __init__(self, problem: BeamProblem) -> None:
        lengths = problem.reference_lengths
        self.bases = np.cumsum(lengths) - lengths
        words = self.bases[problem.pair] + problem.start
        self.counts = np.bincount(words, minlength=int(lengths.sum()))
        self.firsts = np.cumsum(self.counts) - self.counts
        self.fixed = np.zeros(len(self.counts), np.bool_)
        self.fixed[words[problem.fixed]] = True
        self.distance = np.abs(problem.start - problem.candidate_start)


def _roots(problem: BeamProblem) -> _Paths:
    count = len(problem.reference_lengths)
    zeros = np.zeros(count, np.int64)
    columns = int(problem.candidate_lengths.max()) // 64 + 1
    used = np.zeros((count, columns), np.uint64)
    return _Paths(np.arange(count), zeros, zeros, zeros, np.zeros(count, np.bool_), zeros, zeros - 1, used)


def _advance(
    problem: BeamProblem, table: _Table, paths: _Paths, position: int
) -> tuple[_Paths, np.ndarray, np.ndarray]:
    """All paths grown by one word of the reference, pruned; the row each grew from, and the match it took or -1."""
    parents, taken, extra = _grow(problem, table, paths, position)
    grown = paths.take(parents)
    grown.distance = grown.distance + extra
    skips = taken == _LEFT_OUT
    matched = np.flatnonzero(~skips)
    match = taken[matched]
    continues = (
        grown.open[matched]
        & (grown.next_free[matched] == position)
        & (grown.candidate_end[matched] == problem.candidate_start[match])
    )
    closes = grown.open & (grown.next_free <= position)
    closes[matched] &= ~continues
    grown.chunks = grown.chunks + closes
    grown.open = grown.open & ~closes
    grown.open[matched] = True
    grown.gain[matched] += problem.gain[match]
    grown.next_free[matched] = position + problem.length[match]
    grown.candidate_end[matched] = (problem.candidate_start + problem.candidate_length)[match]
    for rows, column, bit in _bits(problem, match):
        grown.used[matched[rows], column] |= bit
    order = _order(grown)
    order = order[_rank(grown.pair[order]) < problem.width]
    return grown.take(order), parents[order], taken[order]


def _grow(
    problem: BeamProblem, table: _Table, paths: _Paths, position: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Children of every path: the path's row, the match taken or -1, and the distance its elder siblings booked."""
    inside = position < problem.reference_lengths[paths.pair]
    word = np.where(inside, table.bases[paths.pair] + position, 0)
    free = inside & (paths.next_free <= position)
    offered = np.where(free, table.counts[word], 0)
    children = np.where(inside, offered + ~(free & table.fixed[word]), 0)
    parents, within = spread(children)
    skips = within == offered[parents]
    taken = np.where(skips, _LEFT_OUT, table.firsts[word][parents] + within)
    fits = skips.copy()
    tried = np.flatnonzero(~skips)
    fits[tried] = _fit(problem, paths.used, parents[tried], taken[tried])
    booked = np.where(fits & ~skips, table.distance[taken], 0)
    before = np.cumsum(booked) - booked
    extra = before - before[(np.cumsum(children) - children)[parents]]
    kept = np.flatnonzero(fits)
    return parents[kept], taken[kept], extra[kept]


def _fit(problem: BeamProblem, used: np.ndarray, parents: np.ndarray, matches: np.ndarray) -> np.ndarray:
    """Whether each match (n,) leaves alone the words of the candidate that its path has used: bool (n,)."""
    fit = np.ones(len(matches), np.bool_)
    for rows, column, bit in _bits(problem, matches):
        fit[rows] &= used[parents[rows], column] & bit == 0
    return fit


def _bits(problem: BeamProblem, matches: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The words of the candidate that matches (n,) use, one per match and turn: which matches, column and bit."""
    rows = np.arange(len(matches))
    for offset in range(int(problem.candidate_length.max())):
        rows = rows[problem.candidate_length[matches[rows]] > offset]
        word = problem.candidate_start[matches[rows]] + offset
        yield rows, word // 64, np.uint64(1) << (word % 64).astype(np.uint64)


def _order(paths: _Paths) -> np.ndarray:
    """A stable order by pair, most gain, fewest chunks, least distance."""
    keys = [paths.pair, paths.gain.max() - paths.gain, paths.chunks, paths.distance]
    widths = [int(key.max()).bit_length() for key in keys]
    if sum(widths) > 62:
        return np.lexsort(keys[::-1])
    packed = keys[0]
    for key, width in zip(keys[1:], widths[1:]):
        packed = packed << width | key
    return np.argsort(packed, kind="stable")


def _rank(pair: np.ndarray) -> np.ndarray:
    """The place of each row within its pair; rows are sorted by pair."""
    firsts = np.flatnonzero(np.concatenate(([True], pair[1:] != pair[:-1])))
    _, within = spread(np.diff(np.append(firsts, len(pair))))
    return within


def _best(paths: _Paths) -> np.ndarray:
    """The row of each pair's best path, once the last chunks are closed."""
    paths.chunks = paths.chunks + paths.open
    order = _order(paths)
    return order[_rank(paths.pair[order]) == 0]


def _walk_back(problem: BeamProblem, trail: list[tuple[np.ndarray, np.ndarray]], ends: np.ndarray) -> np.ndarray:
    """The matches taken on the way to row ``ends`` (C,) of each pair's last step."""
    found = []
    rows = ends
    for position in range(len(trail) - 1, -1, -1):
        parents, taken = trail[position]
        pairs = np.flatnonzero(problem.reference_lengths > position)
        steps = taken[rows[pairs]]
        found.append(steps[steps != _LEFT_OUT])
        rows[pairs] = parents[rows[pairs]]
    return np.concatenate(found)
