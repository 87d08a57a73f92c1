"""METEOR's statistics from the original Java scorer, one process that many lines are streamed to."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from typing import IO, cast

import numpy as np

from densecap.errors import UserError
from densecap.metrics.meteor.items import Item
from densecap.metrics.meteor.normalizer import clean
from densecap.metrics.meteor.resources import find_files, find_java
from densecap.metrics.meteor.statistics import COLUMNS


class JarEngine:
    """A running Java scorer (600 MB, five seconds to start). Use as a context, or call ``close``.

    Only its SCORE command is used: scores follow from the statistics, and its EVAL command breaks where numbers are
    written with a decimal comma. ``java`` is the program to run, found by itself when not given.

    Errors: MeteorUnavailable when its files or Java are missing.
    """

    def __init__(self, java: str | None = None) -> None:
        jar = find_files().jar
        options = ["-XX:+UseSerialGC", "-Xmx1G", "-Dfile.encoding=UTF-8", "-Duser.language=en", "-Duser.country=US"]
        command = [java or find_java(), *options, "-jar", str(jar), "-", "-", "-stdio", "-l", "en", "-norm"]
        self._messages = tempfile.TemporaryFile()  # noqa: SIM115 - a file never fills up as a pipe would
        self._process = subprocess.Popen(
            command, cwd=jar.parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._messages
        )

    def statistics(self, items: Sequence[Item]) -> np.ndarray:
        """Statistics (n, 23) of each candidate against its best reference, the first of equals."""
        writer = threading.Thread(target=_write, args=(self._process.stdin, items), daemon=True)
        writer.start()
        try:
            rows = [self._read(cast(IO[bytes], self._process.stdout)) for _ in items]
        except BaseException:  # the answers still to come would be taken for those of the next call
            self.close()
            raise
        writer.join()
        return np.array(rows).reshape(-1, COLUMNS)

    def _read(self, pipe: IO[bytes]) -> list[float]:
        line = pipe.readline().decode("utf-8", "replace").strip()
        try:
            row = [float(number) for number in line.split()]
        except ValueError:
            row = []
        if len(row) != COLUMNS:
            raise UserError(f"METEOR's Java scorer answered {line!r}{self._last_message()}: use meteor backend=python")
        return row

    def _last_message(self) -> str:
        self._messages.seek(0)
        lines = self._messages.read().decode("utf-8", "replace").strip().splitlines()
        return f" and wrote {lines[-1]!r}" if lines else ""

    def close(self) -> None:
        """End the Java process."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._messages):
            with contextlib.suppress(OSError):  # what was not sent to a dead process
                cast(IO[bytes], pipe).close()

    def __enter__(self) -> JarEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _write(pipe: IO[bytes], items: Sequence[Item]) -> None:
    """One SCORE line per item; a broken pipe shows up where the answers are read."""
    try:
        for candidate, references in items:
            fields = ["SCORE", *map(clean, references), clean(candidate)]
            pipe.write((" ||| ".join(fields) + "\n").encode("utf-8"))
        pipe.flush()
    except (OSError, ValueError):
        return
