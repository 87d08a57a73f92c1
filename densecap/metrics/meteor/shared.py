"""METEOR for the metric classes: opened at the first comparison, once for all that ask for the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from densecap.metrics.meteor.items import Item
from densecap.metrics.meteor.meteor import Meteor
from densecap.metrics.meteor.resources import MeteorUnavailable, find_files, find_java


@dataclass(frozen=True)
class MeteorScores:
    """A function from (candidate, references) pairs to their scores (n,); the options are those of ``Meteor``."""

    backend: str = "python"
    processes: int = 1

    def __call__(self, items: Sequence[Item]) -> np.ndarray:
        return _opened(self.backend, self.processes).score_pairs(items)

    def problem(self) -> str | None:
        """What is missing on this machine, in a sentence; None when nothing is. Looks for files, opens nothing."""
        try:
            find_files()
            if self.backend == "jar":
                find_java()
            else:
                import snowballstemmer  # noqa: F401
        except MeteorUnavailable as error:
            return str(error)
        except ImportError:
            return "METEOR needs the package snowballstemmer: install densecap[meteor]"
        return None


class MeteorStatistics(MeteorScores):
    """A function from pairs to their 23 statistics (n, 23)."""

    def __call__(self, items: Sequence[Item]) -> np.ndarray:
        return _opened(self.backend, self.processes).statistics_of(items)


METEOR_SCORES, METEOR_STATISTICS = MeteorScores(), MeteorStatistics()


@lru_cache(maxsize=2)
def _opened(backend: str, processes: int) -> Meteor:
    return Meteor(backend, processes)
