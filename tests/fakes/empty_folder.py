"""Commands run in this very process, in an empty folder."""

import logging
import sys

from hydra.core.hydra_config import HydraConfig


def in_empty_folder(monkeypatch, tmp_path):
    """To be yielded from by a fixture: the folder; logging and Hydra's global state are left as they were."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    before = logging.root.handlers[:], logging.root.level, HydraConfig.instance().cfg
    yield tmp_path
    logging.root.handlers[:], logging.root.level, HydraConfig.instance().cfg = before
