"""Folders of training runs as ``train`` leaves them, without any training."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from densecap.runs.status import RunStatus


def config_of(folder: Path, **changes):
    """A resolved configuration of a run in the folder; ``changes`` are sections or values put in."""
    return {
        "seed": 1,
        "ckpt": None,
        "optimizer": {"_target_": "torch.optim.Adam", "lr": 0.1},
        "data": {"name": "shapes"},
        "trainer": {"max_epochs": 3},
        "callbacks": {"checkpoint": {"dirpath": f"{folder}/checkpoints"}},
        "paths": {"output_dir": str(folder)},
        "choices": {"model": "densecap_small", "experiment": "quickstart"},
        **changes,
    }


def write_run(folder: Path, status: dict | None = None, table: str = "", **changes) -> Path:
    """A run folder with ``config.yaml``, and where given ``status.json`` and ``csv/metrics.csv``."""
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config_of(folder, **changes)), encoding="utf-8")
    if status is not None:
        (folder / "status.json").write_text(json.dumps(status), encoding="utf-8")
    if table:
        (folder / "csv").mkdir()
        (folder / "csv" / "metrics.csv").write_text(table, encoding="utf-8")
    return folder


def ended(state="finished", started="2026-03-01T10:00:00+00:00", ended="2026-03-01T11:30:00+00:00", **more):
    """The content of ``status.json`` of a run that took an hour and a half."""
    return {"state": state, "started": started, "updated": ended, "ended": ended, "epoch": 3, "step": 960, **more}


def running(**more):
    """The status that this very process would write."""
    return vars(RunStatus.begin({})) | more
