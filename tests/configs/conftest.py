"""Tests of configurations work in an empty folder, and leave logging and Hydra's global state as they were."""

import pytest

from tests.fakes.empty_folder import in_empty_folder


@pytest.fixture
def folder(monkeypatch, tmp_path):
    yield from in_empty_folder(monkeypatch, tmp_path)
