"""Tests of configurations work in an empty folder, and leave logging and Hydra's global state as they were."""

import logging
import sys

import pytest
from hydra.core.hydra_config import HydraConfig


@pytest.fixture
def folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    before = logging.root.handlers[:], logging.root.level, HydraConfig.instance().cfg
    yield tmp_path
    logging.root.handlers[:], logging.root.level, HydraConfig.instance().cfg = before
