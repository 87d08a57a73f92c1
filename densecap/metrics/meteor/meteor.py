"""METEOR 1.5 as one object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from densecap.errors import UserError
from densecap.metrics.meteor.engine import Engine
from densecap.metrics.meteor.items import Item, check_items
from densecap.metrics.meteor.jar import JarEngine
from densecap.metrics.meteor.score import corpus_score, scores
from densecap.metrics.meteor.team import Team


class _Scorer(Protocol):
    def statistics(self, items: Sequence[Item]) -> np.ndarray: ...


def check_options(backend: str, processes: int) -> None:
    """Errors: UserError for options of ``Meteor`` that do not exist."""
    if backend not in ("python", "jar"):
        raise UserError(f"meteor backend={backend!r} is unknown: use python or jar")
    if processes < 1:
        raise UserError(f"meteor processes={processes} is too few: use 1 or more")


class Meteor:
    """METEOR 1.5 (English, ``-norm``), the same statistics as the Java scorer to the last one.

    ``backend`` "python" needs no Java and may use several ``processes``; "jar" streams to the Java scorer. The first
    use ever builds an index of the paraphrases (see index). Captions are given as they are, not tokenized; an empty one
    scores 0; ``|||`` and line ends in them count as spaces. Use as a context, or call ``close``.

    Errors: MeteorUnavailable, a UserError, when the extra densecap[meteor] (or Java, for "jar") is not installed.
    """

    def __init__(self, backend: str = "python", processes: int = 1) -> None:
        check_options(backend, processes)
        self._scorer: _Scorer
        if backend == "jar":
            self._scorer = JarEngine()
        else:
            self._scorer = Team(processes) if processes > 1 else Engine()

    def statistics(self, candidate: str, references: Sequence[str]) -> np.ndarray:
        """The 23 statistics (23,) against the best reference; densecap.metrics.meteor.statistics names them."""
        return self.statistics_of([(candidate, references)])[0]

    def statistics_of(self, items: Sequence[Item]) -> np.ndarray:
        """Statistics (n, 23) of many candidates, each against the best of its references."""
        check_items(items)
        return self._scorer.statistics(items)

    def score_pairs(self, items: Sequence[Item]) -> np.ndarray:
        """Scores (n,) float64 of candidates, each against its references: ``[(candidate, [reference, ...]), ...]``."""
        return scores(self.statistics_of(items))

    def corpus(self, items: Sequence[Item]) -> float:
        """One score of all candidates together: that of their summed statistics, as pycocoevalcap reports it."""
        return corpus_score(self.statistics_of(items))

    def close(self) -> None:
        """End the processes that were started, if any."""
        if isinstance(self._scorer, JarEngine | Team):
            self._scorer.close()

    def __enter__(self) -> Meteor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
