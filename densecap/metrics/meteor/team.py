"""METEOR's statistics on several processes: this one and workers that are fed through pipes.

Workers are plain programs rather than forks, so that they neither copy a large training process nor run its script.
"""

from __future__ import annotations

import contextlib
import pickle
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import IO, cast

import numpy as np

from densecap.errors import UserError
from densecap.metrics.meteor.engine import Engine
from densecap.metrics.meteor.items import Item

_WORKER = "import sys; sys.path[:] = {path!r}; from densecap.metrics.meteor.team import serve; serve()"
_WORTH_SHARING = 2_000


class Team:
    """``Engine`` on ``processes`` processes. Use as a context, or call ``close``; small calls stay in this process."""

    def __init__(self, processes: int) -> None:
        self._engine = Engine()  # first, so that the workers find a finished index
        command = [sys.executable, "-c", _WORKER.format(path=sys.path)]
        self._workers = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(processes - 1)
        ]

    def statistics(self, items: Sequence[Item]) -> np.ndarray:
        """Statistics (n, 23) of each candidate against its best reference, the first of equals."""
        if len(items) < _WORTH_SHARING or not self._workers:
            return self._engine.statistics(items)
        bounds = np.linspace(0, len(items), len(self._workers) + 2).astype(int)
        shares = [items[first:last] for first, last in zip(bounds[:-1], bounds[1:])]
        try:
            for worker, share in zip(self._workers, shares[1:]):
                _send(cast(IO[bytes], worker.stdin), share)
            rows = [self._engine.statistics(shares[0])]
            rows += [pickle.load(cast(IO[bytes], worker.stdout)) for worker in self._workers]
        except BaseException as error:  # answers still to come would be taken for those of the next call
            self.close()
            if isinstance(error, EOFError | OSError):
                raise UserError("a process that computes METEOR died: try fewer processes or more memory") from error
            raise
        return np.concatenate(rows)

    def close(self) -> None:
        """End the workers."""
        for worker in self._workers:
            worker.kill()
            worker.wait()
            for pipe in (worker.stdin, worker.stdout):
                with contextlib.suppress(OSError):  # what was not sent to a dead process
                    cast(IO[bytes], pipe).close()
        self._workers = []

    def __enter__(self) -> Team:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def serve() -> None:
    """A worker's life: answer every request on standard input until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the caller, and that closes standard input
    engine = Engine()
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    while True:
        try:
            items = pickle.load(requests)
        except EOFError:
            return
        _send(answers, engine.statistics(items))


def _send(pipe: IO[bytes], message: object) -> None:
    pickle.dump(message, pipe, protocol=pickle.HIGHEST_PROTOCOL)
    pipe.flush()
