"""Text that is written as predictions come, to a file that appears when it is complete or to standard output."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Any, TextIO

from densecap.structures import Prediction


class TextOutput:
    """UTF-8 text that appears at ``path`` once it is complete, or goes to ``stream`` as it comes."""

    def __init__(self, target: Path | TextIO) -> None:
        self.path = target if isinstance(target, Path) else None
        if self.path is None:
            assert not isinstance(target, Path)
            self.stream = target
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
        # File names that are no UTF-8 hold lone surrogates; "\udc80" is how JSON writes those.
        self.stream = self._temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="")

    def write(self, text: str) -> None:
        self.stream.write(text)
        if self.path is None:
            self.stream.flush()

    def close(self) -> None:
        """Make the text final."""
        self.stream.flush()
        if self.path is not None:
            self.stream.close()
            self._temporary.replace(self.path)

    def discard(self) -> None:
        """Leave no file, or the one of an earlier run as it was."""
        if self.path is not None:
            self.stream.close()
            self._temporary.unlink(missing_ok=True)


class Writer:
    """Takes predictions one by one, then what is known at the end: ``complete``, ``errors`` and ``timing``.

    ``target`` is a path or a stream, ``model`` the object of that name in predictions.json.
    """

    def __init__(self, target: Path | TextIO, model: dict[str, Any]) -> None:
        self._output = TextOutput(target)

    def add(self, prediction: Prediction) -> None:
        raise NotImplementedError

    def close(self, summary: dict[str, Any]) -> None:
        self._output.close()

    def discard(self) -> None:
        self._output.discard()


class ListWriter(Writer):
    """JSON that is one list after a ``head``, an entry a line; holds nothing in memory."""

    def __init__(self, target: Path | TextIO, model: dict[str, Any], head: str = "[") -> None:
        super().__init__(target, model)
        self._output.write(head)
        self._separator = "\n"

    def add_entry(self, entry: dict[str, Any]) -> None:
        self._output.write(self._separator + dump(entry))
        self._separator = ",\n"

    def close(self, summary: dict[str, Any]) -> None:
        self._output.write("\n]" + self.tail(summary) + "\n")
        self._output.close()

    def tail(self, summary: dict[str, Any]) -> str:
        """What stands behind the list."""
        return ""


def dump(value: Any) -> str:
    """JSON on one line, of finite numbers."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


@contextmanager
def only_stdout() -> Iterator[TextIO]:
    """Standard output for the caller alone: whatever else prints there, even from C, goes to standard error."""
    sys.stdout.flush()
    own = os.dup(1)
    os.dup2(2, 1)
    stream = os.fdopen(os.dup(own), "w", encoding="utf-8", errors="backslashreplace", newline="")
    try:
        with redirect_stdout(sys.stderr):
            yield stream
    finally:
        with suppress(BrokenPipeError):
            stream.close()
        os.dup2(own, 1)
        os.close(own)
